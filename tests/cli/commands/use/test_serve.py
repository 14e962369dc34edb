"""`serve` runs the real proxy in our place: for this machine only, and shows what was asked for."""

import re
import signal
import socket
import ssl
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from accounts.errors import UsageError
from addons.dashboard.binding import PagePortTaken
from addons.startup import FORCED
from certs import ca
from certs.bundles import certificates
from cli.commands.use.serve import (
    LISTEN,
    TAKEN,
    OptionTaken,
    check_page,
    debug_authority,
    own_authority,
    parse_listen,
    parse_page,
    shown_by,
)
from cli.running import processes
from config import clock, paths
from config.page import token
from config.page.address import PageAddress
from standin import StandIn
from tests.cli.conftest import Fill, Run
from tests.cli.serving import ask, free_port, serving, stopped, through, upstream
from tests.harness import MITMDUMP, PATIENCE, ROOT, plain_environment
from tests.proxy.clients import turn1
from tests.rows import all_rows
from tests.users import OTHER, acting_as, why_not

__all__ = ["upstream"]  # a fixture
pytestmark = pytest.mark.usefixtures("warm_starts")


@pytest.fixture
def now() -> float:
    return clock.now()


@all_rows(
    ("listen", "found"),
    [
        ("127.0.0.1:8118", ("127.0.0.1", 8118)),
        ("127.9.9.9:1", ("127.9.9.9", 1)),
        ("localhost:65535", ("localhost", 65535)),
        ("[::1]:8118", ("::1", 8118)),
    ],
)
def test_addresses_of_this_machine(listen: str, found: tuple[str, int]) -> None:
    assert parse_listen(listen) == found


@all_rows("listen", ["8118", ":8118", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:0", "a:65536", "a:²"])
def test_what_is_no_address_is_wrong_usage(listen: str) -> None:
    with pytest.raises(UsageError, match=r"such as 127\.0\.0\.1:8118"):
        parse_listen(listen)


@pytest.mark.parametrize("listen", ["9000", ":9000"])
def test_a_port_alone_is_answered_with_an_address(listen: str) -> None:
    with pytest.raises(UsageError, match=r"Did you mean 127\.0\.0\.1:9000\?"):
        parse_listen(listen)


@all_rows("listen", ["0.0.0.0:8118", "[::]:8118", "192.168.1.5:8118", "example.com:8118"])
def test_an_address_that_others_can_reach_is_refused(listen: str) -> None:
    """Whoever reaches the proxy uses the accounts."""
    with pytest.raises(UsageError, match="others"):
        parse_listen(listen)


@all_rows("page", ["8119", "here:1", "127.0.0.1:x"])
def test_what_is_no_address_for_the_page_is_wrong_usage(page: str) -> None:
    with pytest.raises(UsageError, match=r"--page needs .* such as 127\.0\.0\.1:8119"):
        parse_page(page, keyed=True)


def test_a_page_for_others_needs_keys_for_them() -> None:
    with pytest.raises(UsageError, match="can be reached by others"):
        parse_page("0.0.0.0:8119", keyed=False)
    assert parse_page("0.0.0.0:8119", keyed=True) == PageAddress(host="0.0.0.0", port=8119)
    assert parse_page("off", keyed=False) is None


def test_a_port_for_the_page_that_was_named_and_is_taken_is_an_error_that_says_who_has_it() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        with pytest.raises(PagePortTaken, match="listens there: end it, or name another port"):
            check_page(PageAddress(host="127.0.0.1", port=port))
        check_page(PageAddress(host="127.0.0.1", port=port, named=False))


def test_it_says_where_its_page_is_and_that_address_lets_in(upstream: StandIn, home: Path) -> None:
    with serving(home, upstream=upstream) as (_, output, _), httpx.Client(trust_env=False) as client:
        address = output.wait_for(r"The page is at (http://127\.0\.0\.1:\d+/\?token=\S+)")[1]
        assert token.known_token({"CODEX_ROTATE_HOME": str(home)}) in address
        answer = client.get(address, follow_redirects=True)
        assert answer.status_code == 200
        assert "token" not in str(answer.url)


def test_without_a_page_it_says_nothing_of_one(upstream: StandIn, home: Path) -> None:
    with serving(home, "--page", "off", upstream=upstream) as (_, output, _):
        output.wait_for("In another terminal")
        assert "The page" not in output.text()


def test_an_empty_pool_is_no_reason_to_start(run: Run) -> None:
    ran = run("serve")
    assert ran.code == 3
    assert "codex-rotate login" in ran.err


def test_two_on_one_pool_serve_side_by_side(upstream: StandIn, home: Path) -> None:
    """At two ports, with one CA and one account; both stop cleanly, and the end of one is no matter to the other."""
    trust = home / "ca" / "trusted.pem"
    with (
        serving(home, upstream=upstream) as (first, one, port),
        serving(home, upstream=upstream) as (second, two, other),
    ):
        assert [ask(each, trust) for each in (port, other, port)] == ["Hello from acc-1."] * 3
        assert stopped(first) == ""
        assert ask(other, trust) == "Hello from acc-1."
        assert stopped(second, signal.SIGINT) == ""
        assert ["The proxy has stopped" in each.text() for each in (one, two)] == [True, True]
    asked = upstream.requests_to("/backend-api/codex/responses")
    assert [seen.account_id for seen in asked] == ["acc-1"] * 4


def test_with_json_stdout_holds_one_value(fill: Fill, home: Path) -> None:
    fill("ann")
    with serving(home, "--json") as (process, _, port):
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        said = process.stdout.read()
        assert process.wait(20) == 0
    assert re.fullmatch(r"\{.*\}\n", said, re.DOTALL)
    assert f'"http://127.0.0.1:{port}"' in said


@pytest.mark.skipif(bool(why_not()), reason=why_not())
@pytest.mark.parametrize(("flags", "status"), [((), 407), (("--everyone-here",), 200)])
def test_other_users_of_this_machine_are_served_if_the_owner_says_so(
    fill: Fill, home: Path, flags: tuple[str, ...], status: int
) -> None:
    fill("ann")
    with serving(home, *flags) as (process, _, port):
        with acting_as(OTHER):
            raw = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        with raw:
            raw.sendall(b"GET http://codex-rotate.invalid/ HTTP/1.1\r\nhost: codex-rotate.invalid\r\n\r\n")
            said = raw.recv(4096)
        assert stopped(process) == ""
        assert said.startswith(f"HTTP/1.1 {status} ".encode())


# --- its start -------------------------------------------------------------------------------------------------------


def test_a_key_that_was_open_is_told_before_it_serves(now: float) -> None:
    """A person is to hear of it now, not when the proxy ends."""
    ca.create(paths.ca_folder(), now)
    (paths.ca_folder() / ca.KEY_FILE).chmod(0o644)
    authority = own_authority(LISTEN, now)
    assert authority.certificate == paths.ca_folder() / "trusted.pem"
    assert [("0644" in line, "ca renew --leaked" in line) for line in authority.told] == [(True, True)]
    assert own_authority(LISTEN, now).told == ()


def test_a_renewal_is_told_and_bound_clients_follow_it(now: float) -> None:
    """The file that a `.env` names holds both from the moment the new one is used."""
    old = ca.create(paths.ca_folder(), now).certificate
    root = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    (paths.ca_folder() / "bundle.pem").write_bytes(root)
    authority = own_authority(LISTEN, now + 340 * 86_400)
    (told,) = authority.told
    assert "Restart clients that run already" in told
    assert ca.common_name(old) not in told
    assert (paths.ca_folder() / "bundle.pem").read_bytes() == root + authority.certificate.read_bytes()
    assert len(certificates(authority.certificate.read_bytes())) == 2


# --- what it shows ---------------------------------------------------------------------------------------------------


def test_by_default_a_turn_is_a_line_and_nothing_else_is(upstream: StandIn, home: Path) -> None:
    """Where it is, how it is used, where its page is, a line for a turn, and its end; no colours in what is no
    terminal."""
    with serving(home, upstream=upstream) as (process, output, port):
        assert ask(port, home / "ca" / "trusted.pem") == "Hello from acc-1."
        stopped(process)
    ready, use, page, turn, end = output.text().splitlines()
    assert ready[8:] == f" codex-rotate is listening at http://127.0.0.1:{port} with 1 account."
    assert "codex-rotate run codex" in use
    assert page.startswith("The page is at http://127.0.0.1:")
    assert re.fullmatch(r"\d\d:\d\d:\d\d python-httpx gpt-5  \S+.*  ok  \d+\.\d s  20 in \(10 cached\) 3 out", turn)
    assert end.startswith("The proxy has stopped.")
    assert "\x1b" not in output.text()


def test_a_client_that_leaves_or_does_not_trust_it_is_no_alarm(upstream: StandIn, home: Path) -> None:
    """One that does not trust it is told to, once."""
    with serving(home, upstream=upstream) as (process, output, port):
        for _ in range(3):
            with pytest.raises(ssl.SSLCertVerificationError), through(port, "chatgpt.com", upstream.ca_file):
                pass
            with closing(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)) as raw:
                raw.sendall(b"CONNECT chatgpt.com:443 HTTP/1.1\r\nhost: chatgpt.com:443\r\n\r\n")
                assert raw.recv(4096)
        output.wait_for("does not trust this proxy")
        stopped(process)
    _, _, _, told, _ = output.text().splitlines()
    assert "warning: codex-rotate: a client does not trust this proxy for chatgpt.com" in told
    assert "codex-rotate run codex" in told


def test_verbose_is_all_that_mitmproxy_says_too(upstream: StandIn, home: Path) -> None:
    with serving(home, "--verbose", upstream=upstream) as (process, output, port):
        ask(port, home / "ca" / "trusted.pem")
        stopped(process)
    for words in ("client connect", "POST https://chatgpt.com/backend-api/codex/responses", "python-httpx gpt-5  "):
        assert words in output.text()


def test_flows_are_saved_and_options_are_set(upstream: StandIn, home: Path, tmp_path: Path) -> None:
    """For the owner alone: prompts and code are in there."""
    file = tmp_path / "saved.flow"
    with serving(home, "-w", str(file), "--set", "rotate_head_timeout=7", upstream=upstream) as (process, _, port):
        ask(port, home / "ca" / "trusted.pem")
        stopped(process)
    assert b"/backend-api/codex/responses" in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0


@all_rows("name", sorted(TAKEN))
def test_an_option_that_it_sets_itself_is_refused(name: str) -> None:
    with pytest.raises(OptionTaken, match=f"--set {name}: `serve` sets this option itself"):
        shown_by([f"{name}=1"])


def test_what_mitmproxy_must_be_set_to_is_among_them() -> None:
    assert FORCED.keys() < TAKEN


@all_rows("setting", ["", "=", "=1", "rotate_transport", "a b=1"])
def test_what_is_no_option_is_wrong_usage(setting: str) -> None:
    with pytest.raises(UsageError, match="such as"):
        shown_by([setting])


@all_rows(
    ("settings", "more", "look", "flags"),
    [
        ([], {}, "turns", ["flow_detail=0"]),
        ([], {"verbose": True}, "more", ["termlog_verbosity=debug"]),
        ([], {"web": True}, "turns", []),
        (["flow_detail=2"], {}, "turns", ["flow_detail=2"]),
        (["termlog_verbosity=debug"], {}, "", ["flow_detail=0", "termlog_verbosity=debug"]),
    ],
)
def test_what_is_shown_follows_what_was_asked_for(
    settings: list[str], more: dict[str, bool], look: str, flags: list[str]
) -> None:
    """mitmproxy takes no option twice."""
    shown = shown_by(settings, **more)
    assert (shown.look, list(shown.flags[1::2])) == (look, flags)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("rotate_trnsport=sse", "Unknown option(s): rotate_trnsport"),
        ("flow_detail=loud", "Failed to parse option flow_detail"),
        ("rotate_transport=pigeon", "rotate_transport"),
    ],
)
def test_an_option_that_nobody_has_is_said_in_mitmproxy_s_words(
    fill: Fill, home: Path, setting: str, words: str
) -> None:
    fill("ann")
    env = {**plain_environment(), "HOME": str(home.parent), "CODEX_ROTATE_HOME": str(home)}
    command = [str(MITMDUMP.with_name("codex-rotate")), "serve", "--listen", f"127.0.0.1:{free_port()}"]
    done = processes.run([*command, "--set", setting], env, ROOT, 60)
    assert done.code == 1
    assert words in done.out + done.err
    assert "Traceback" not in done.out + done.err
    assert "its last lines say why" in done.out + done.err


# --- debugging -------------------------------------------------------------------------------------------------------


def test_all_hosts_are_opened_with_a_ca_of_its_own(upstream: StandIn, home: Path, run: Run) -> None:
    """It says what that means and what to set; the constrained CA is not even made."""
    with serving(home, "--intercept-all", upstream=upstream) as (process, _, port):
        debug = Path(run("env", "--intercept-all", "--json").json["CODEX_CA_CERTIFICATE"])
        for host in ("example.com", "chatgpt.com"):
            with through(port, host, debug) as secure:
                assert secure.version() == "TLSv1.3"
        assert ask(port, debug) == "Hello from acc-1."
        said = stopped(process)
    assert "can read every TLS connection" in said
    assert f'eval "$(codex-rotate env --intercept-all --proxy http://127.0.0.1:{port})"' in said
    assert "codex-rotate DEBUG CA (any host)" in said
    assert not (home / "ca" / ca.KEY_FILE).exists()


def test_with_all_hosts_open_managed_credentials_go_where_they_always_go(upstream: StandIn, home: Path) -> None:
    """The same request to another host is the client's own, from its first byte to its last."""
    own = {"authorization": "Bearer of-the-client", "content-type": "application/json"}
    with serving(home, "--intercept-all", upstream=upstream) as (process, _, port):
        trust = ssl.create_default_context(cafile=str(paths.debug_ca_folder() / ca.CERTIFICATE_FILE))
        proxy, base = f"http://127.0.0.1:{port}", "https://api.openai.com"
        with httpx.Client(proxy=proxy, verify=trust, trust_env=False, base_url=base) as client:
            turn1(client, own)
        stopped(process)
    (seen,) = upstream.requests_to("/backend-api/codex/responses")
    assert seen.authorization == "Bearer of-the-client"


def test_whoever_trusts_the_other_ca_does_not_believe_it(fill: Fill, home: Path, now: float) -> None:
    """A client that was not told to take part is not listened to, whichever host it wants."""
    fill("ann")
    trusted = ca.create(home / "ca", now).trusted_file
    with serving(home, "--intercept-all") as (process, _, port):
        for host in ("example.com", "chatgpt.com"):
            with pytest.raises(ssl.SSLCertVerificationError), through(port, host, trusted):
                pass
        stopped(process)


def test_at_the_usual_address_no_address_has_to_be_given(now: float) -> None:
    authority = debug_authority(LISTEN, now)
    assert any('eval "$(codex-rotate env --intercept-all)"' in line for line in authority.told)

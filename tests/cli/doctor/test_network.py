"""Where the variables of a shell lead a client, and whether it would trust what it finds there."""

from pathlib import Path

from certs import ca as authority
from cli.doctor import network
from cli.doctor.network import At, LedTo, ShellFacts, Trust, gather, led_by, present
from config import clock, proxy_files
from config.proxy_files import ProxyInfo
from tests.cli.doctors import NOTE, OK, PROBLEM, WARNING, free, listening, only, short
from tests.rows import all_rows

SECRET = "hunter2-nobody-may-see"


def led(at: At, trouble: str = "") -> LedTo:
    return LedTo(name="HTTPS_PROXY", place="127.0.0.1 port 1", at=at, trouble=trouble)


def told(home: Path, url: str = "http://127.0.0.1:1") -> bytes:
    """What a proxy of ours answers when it is asked."""
    ours = ProxyInfo(
        url=url, pid=1, home=str(home), certificate=str(home / "ca" / "mitmproxy-ca-cert.pem"), version="1"
    )
    body = proxy_files.as_json(ours).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


# --- facts -----------------------------------------------------------------------------------------------------------


def test_who_is_there(tmp_path: Path) -> None:
    """Ours, another pool's, something else that speaks HTTP or does not, and nobody."""
    environ = {"CODEX_ROTATE_HOME": str(tmp_path)}
    with listening(told(tmp_path)) as url:
        assert led_by("x", url, environ).at is At.OURS
    with listening(told(tmp_path / "other")) as url:
        assert led_by("x", url, environ).at is At.OTHER_POOL
    for answer in (b"HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n", b"SSH-2.0\r\n", b""):
        with listening(answer) as url:
            assert led_by("x", url, environ).at is At.SOMETHING
    assert led_by("x", free(), environ).at is At.NOTHING


@all_rows(
    "url",
    [f"https://ann:{SECRET}@proxy.test:1", f"ann:{SECRET}@proxy.test:1", f"socks5://ann:{SECRET}@proxy.test:1",
     f"http://ann:{SECRET}@proxy.test", f"http://ann:{SECRET}@proxy.test:1/x", f"http://ann:{SECRET} @proxy.test:1"],
)  # fmt: skip
def test_an_address_that_breaks_websockets_is_named_without_its_password(url: str) -> None:
    found = led_by("HTTPS_PROXY", url, {})
    assert found.trouble
    judged = only(network.proxy(ShellFacts(led=found)))
    assert (judged.state, judged.remedy) == (PROBLEM, "Give it as http://HOST:PORT.")
    assert SECRET not in repr(found) + judged.what


def test_a_password_in_a_good_address_is_not_kept(tmp_path: Path) -> None:
    with listening() as url:
        found = led_by("x", url.replace("://", f"://ann:{SECRET}@"), {"CODEX_ROTATE_HOME": str(tmp_path)})
    assert (found.at, SECRET in repr(found)) == (At.SOMETHING, False)


def test_the_variables_of_a_shell(tmp_path: Path) -> None:
    """The first name that is set counts; an empty one is not set."""
    dead = free()
    environ = {"CODEX_ROTATE_HOME": str(tmp_path), "HTTPS_PROXY": "", "https_proxy": dead, "ALL_PROXY": "socks5://x:1"}
    found = gather(environ | {"no_proxy": "a.test, .chatgpt.com"})
    assert found.led is not None
    assert (found.led.name, found.led.at, found.differing) == ("https_proxy", At.NOTHING, False)
    assert (found.bypassing, found.trust) == ((".chatgpt.com",), None)
    assert gather(environ | {"HTTPS_PROXY": "http://127.0.0.1:1"}).differing
    assert gather({"CODEX_ROTATE_HOME": str(tmp_path)}) == ShellFacts()


def test_what_a_client_is_told_to_trust(tmp_path: Path) -> None:
    """The file has to hold the present certificate; one from before a renewal, or none of ours, will not do."""
    home, other = tmp_path / "it's ü home", tmp_path / "other"
    done = authority.create(home / "ca", clock.now())
    elsewhere = authority.create(other, clock.now())
    environ = {"CODEX_ROTATE_HOME": str(home), "SSL_CERT_FILE": str(tmp_path / "none.pem")}
    for file, ours in ((done.trusted_file, True), (done.certificate_file, True), (elsewhere.trusted_file, False)):
        found = gather(environ | {"CODEX_CA_CERTIFICATE": str(file)}).trust
        assert found == Trust(name="CODEX_CA_CERTIFICATE", file=file, ours=ours)
    assert gather(environ).trust == Trust(name="SSL_CERT_FILE", file=tmp_path / "none.pem", readable=False, ours=False)
    folder = gather(environ | {"CODEX_CA_CERTIFICATE": str(tmp_path)}).trust
    assert folder is not None
    assert not folder.readable
    authority.renew(home / "ca", clock.now(), force=True)
    stale = gather(environ | {"CODEX_CA_CERTIFICATE": str(done.folder / "mitmproxy-ca-cert.pem")}).trust
    assert stale is not None
    assert stale.ours  # the file itself was renewed
    assert present(tmp_path / "none.pem") is None


# --- judgement -------------------------------------------------------------------------------------------------------


@all_rows(("at", "state"), [(At.OURS, OK), (At.OTHER_POOL, NOTE), (At.SOMETHING, WARNING), (At.NOTHING, PROBLEM)])
def test_where_a_shell_leads(at: At, state: object) -> None:
    assert [each for _, each in short(network.proxy(ShellFacts(led=led(at))))] == [state]


def test_a_shell_that_leads_nowhere_is_all_right() -> None:
    assert short(network.proxy(ShellFacts())) == [("shell.proxy", OK)]
    assert short(network.no_proxy(ShellFacts())) == []
    assert short(network.certificate(ShellFacts(), in_store=False)) == []


def test_two_spellings_that_differ() -> None:
    found = short(network.proxy(ShellFacts(led=led(At.OURS), differing=True)))
    assert found == [("shell.proxy", OK), ("shell.proxy", WARNING)]


def test_no_proxy_hurts_where_the_shell_leads_to_us() -> None:
    assert only(network.no_proxy(ShellFacts(bypassing=("*",)))).state is WARNING
    assert only(network.no_proxy(ShellFacts(led=led(At.OURS), bypassing=("*",)))).state is PROBLEM


@all_rows(
    ("at", "trust", "in_store", "state"),
    [
        (At.OURS, Trust(name="SSL_CERT_FILE", file=Path("/f")), False, OK),
        (At.OURS, Trust(name="SSL_CERT_FILE", file=Path("/f"), ours=False), False, PROBLEM),
        (At.OURS, Trust(name="SSL_CERT_FILE", file=Path("/f"), ours=False), True, OK),
        (At.OURS, None, False, PROBLEM),
        (At.OURS, None, True, OK),
        (At.OURS, Trust(name="SSL_CERT_FILE", file=Path("/f"), readable=False), True, PROBLEM),
        (At.NOTHING, Trust(name="SSL_CERT_FILE", file=Path("/f"), readable=False), False, WARNING),
        (At.NOTHING, Trust(name="CODEX_CA_CERTIFICATE", file=Path("/f"), readable=False), False, PROBLEM),
        (At.NOTHING, Trust(name="SSL_CERT_FILE", file=Path("/f"), ours=False), False, None),
    ],
)
def test_what_a_shell_trusts(at: At, trust: Trust | None, in_store: bool, state: object) -> None:
    found = short(network.certificate(ShellFacts(led=led(at), trust=trust), in_store=in_store))
    assert found == ([] if state is None else [("shell.certificate", state)])

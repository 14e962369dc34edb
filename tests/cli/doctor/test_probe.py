"""Two requests through a real proxy, as a client makes them, without a word to the model and without a real login."""

import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from accounts.store.store import Store
from certs import ca
from cli.doctor.probe import BEARER, UNREACHABLE, UNTRUSTED, ProbeReply, client, failure, probe, reached, timed
from cli.running.proxies import ProxyDidNotStart
from config import clock
from standin import Fault, FaultKind
from tests.cli.doctors import Machine, enter, machine
from tests.harness import fill
from tests.rows import all_rows

pytestmark = [
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
    pytest.mark.usefixtures("warm_starts"),
]
"""A proxy outlives, on purpose, the command that has started it; here the command's process is that of the tests."""

MODELS = "/backend-api/codex/models"
RESPONSES = "/backend-api/codex/responses"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with machine(tmp_path_factory.mktemp("probe ü")) as made:
        ca.create(made.home / "ca", clock.now())
        yield made


@pytest.fixture
def there(place: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    enter(place, monkeypatch)
    place.upstream.clear()
    with Store(place.home / "pool.db") as store:
        for key in store.cooldowns():
            store.clear_cooldown(key).result()
    return place


def asked(there: Machine) -> tuple[ProbeReply, ProbeReply]:
    with reached(there.environ) as to:
        found = probe(to, there.environ, "0.169.0")
    assert found.catalogue is not None
    assert found.socket is not None
    return found.catalogue, found.socket


def test_a_proxy_is_started_once_and_found_again(there: Machine) -> None:
    """The pool's account serves both requests; nothing is asked of the model, and no bearer of ours gets out."""
    before = len(there.upstream.requests)
    with reached(there.environ) as first:
        assert first.started
        assert probe(first, there.environ, "0.169.0").started
        with reached(there.environ) as second:
            assert (second.presence.pid, second.started) == (first.presence.pid, False)
    catalogue, socket = asked(there)
    assert (catalogue.status, socket.status) == (200, 101)
    assert 0 < catalogue.seconds < 30
    seen = there.upstream.requests[before:]
    assert [each.path.partition("?")[0] for each in seen] == [MODELS, RESPONSES, MODELS, RESPONSES]
    assert {each.account_id for each in seen} == {"acc-1"}
    assert BEARER not in repr(seen)
    assert not [each for each in seen if each.method == "POST"]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (FaultKind.CLOUDFLARE, 403, ""),
        (FaultKind.SERVER_ERROR, 500, "server_error"),
        (FaultKind.RESET, 502, "codex_rotate_upstream_unreachable"),
    ],
)
def test_refusals(there: Machine, kind: FaultKind, status: int, code: str) -> None:
    """The status and the code, and not a word of the body."""
    for account in there.accounts:
        there.upstream.fault(account.account_id, Fault(kind, path=MODELS), None)
    catalogue, _ = asked(there)
    assert (catalogue.status, catalogue.code) == (status, code)


def test_who_was_asked_in_vain_is_told(there: Machine) -> None:
    for account in there.accounts:
        there.upstream.fault(account.account_id, Fault(FaultKind.USAGE_LIMIT, path=MODELS, resets_in=9000), None)
    catalogue, socket = asked(there)
    assert (catalogue.status, catalogue.code) == (429, "usage_limit_reached")
    assert catalogue.trail == ("acc-1 usage limit", "acc-2 usage limit")
    assert (socket.status, socket.trail) == (101, ())  # the proxy takes it, to say the same inside


def test_a_proxy_that_signs_with_another_ca_is_not_believed(there: Machine, tmp_path: Path) -> None:
    ca.create(tmp_path / "ca", clock.now())
    with reached(there.environ) as to:
        stranger = replace(to.presence, certificate=str(tmp_path / "ca" / "mitmproxy-ca-cert.pem"))
        with client(replace(to, presence=stranger)) as http:
            reply = timed(lambda: http.get("https://chatgpt.com/backend-api/codex/models"))
    assert (reply.status, reply.code) == (0, UNTRUSTED)


def test_a_company_that_opens_tls_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy refuses a certificate of somebody whom nothing here vouches for; whose it is can be told."""
    with machine(tmp_path, 1) as made:
        ca.create(made.home / "ca", clock.now())
        (made.home / "ca" / "config.yaml").unlink()  # which says that the stand-in's CA is trusted
        enter(made, monkeypatch)
        with reached(made.environ) as to:
            found = probe(to, made.environ, "0.169.0")
    assert found.catalogue is not None
    assert (found.catalogue.status, found.catalogue.tls) == (502, "unable to get local issuer certificate")
    assert found.shown is not None
    assert found.shown.issuer == "stand-in test CA"
    assert found.settings == str(made.home / "ca" / "config.yaml")


def test_a_proxy_that_cannot_start_says_why(there: Machine, tmp_path: Path) -> None:
    """What it said last, and where the whole of it is."""
    fill(tmp_path / "home", there.accounts, tmp_path)
    broken = {**there.environ, "CODEX_ROTATE_HOME": str(tmp_path / "home"), "CODEX_ROTATE_STRATEGY": "best"}
    with pytest.raises(ProxyDidNotStart) as error, reached(broken):
        pass
    assert "strategy" in failure(error.value).lower()
    assert "went away" in failure(ConnectionRefusedError(111, "Connection refused"))


# --- one answer ------------------------------------------------------------------------------------------------------


def answered(*args: object, **values: object) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(*args, **values)  # type: ignore[arg-type]


def raising(error: Exception) -> Callable[[], httpx.Response]:
    def ask() -> httpx.Response:
        raise error

    return ask


@all_rows(
    ("ask", "status", "code"),
    [
        (answered(400, json={"error": {"code": "codex_rotate_no_account"}}), 400, "codex_rotate_no_account"),
        (answered(401, json={"error": {"type": "odd_type", "code": None}}), 401, "odd_type"),
        (answered(403, json={"error": {"code": "Bearer sk-x\n"}}), 403, ""),
        (answered(403, json={"error": "text"}), 403, ""),
        (answered(500, content=b"<html>"), 500, ""),
        (answered(200, json={"error": {"code": "x"}}), 200, ""),
        (raising(httpx.ProxyError("407 Proxy Authentication Required")), 407, "ProxyError"),
        (raising(httpx.ConnectError("http://ann:hunter2@proxy.test")), 0, "ConnectError"),
        (raising(httpx.ReadTimeout("slow")), 0, "ReadTimeout"),
    ],
)
def test_an_answer_in_two_words(ask: Callable[[], httpx.Response], status: int, code: str) -> None:
    found = timed(ask)
    assert (found.status, found.code, found.trail) == (status, code, ())


@all_rows(
    ("code", "message", "tls"),
    [
        (UNREACHABLE, "x Certificate verify failed: certificate has expired", "certificate has expired"),
        (UNREACHABLE, "x Certificate verify failed: self-signed behind the proxy a:1; if it", "self-signed"),
        (UNREACHABLE, "x connection refused", ""),
        ("server_error", "Certificate verify failed: certificate has expired", ""),
    ],
)
def test_why_a_certificate_was_refused_upstream(code: str, message: str, tls: str) -> None:
    """In OpenSSL's words, of our own answer only."""
    found = timed(answered(502, json={"error": {"code": code, "message": message}}))
    assert found.tls == tls


def test_a_certificate_that_is_not_believed() -> None:
    error = httpx.ConnectError("x")
    error.__cause__ = ssl.SSLCertVerificationError("y")
    assert timed(raising(error)).code == UNTRUSTED


@all_rows(
    ("value", "date"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777.0),
        ("yesterday", None),
        ("", None),
        ("Sun, 06 Nov 99999999 0:0:0", None),
    ],
)
def test_the_servers_clock(value: str, date: float | None) -> None:
    assert timed(answered(200, headers={"date": value})).date == date

"""The official client with a login that is worth nothing but at this proxy: it needs no account of its own."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from accounts.people.keys import ClientKey, new_secret
from accounts.people.virtual_login import LASTS, NO_REFRESH, PREFIX, login_document
from accounts.store.store import Store
from config import clock
from standin import Fault, FaultKind
from tests import warm
from tests.e2e.codex import Ran, finish
from tests.e2e.desk import ROTATE, Desk, open_desk
from tests.harness import PATIENCE, eventually, free_port

PLAIN = "Hello from acc-1.\n"


@pytest.fixture
def desk(binary: Path, transport: str, tmp_path: Path) -> Iterator[Desk]:
    with open_desk(binary, tmp_path / "a desk", transport, cold=False) as desk:
        yield desk


@contextmanager
def serving(desk: Desk) -> Iterator[dict[str, str]]:
    """A proxy of the pool, and what a client has to be told of it: no key, and no token endpoint but the real one."""
    port = free_port()
    # in this session, as what it starts has to be in its own: the warm process can have it there then, too
    process = (subprocess.Popen if desk.cold else warm.Popen)(
        [ROTATE, "serve", "--listen", f"127.0.0.1:{port}"], env=desk.environ, cwd=desk.folder / "work",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert eventually(desk.proxies, PATIENCE)
        trusted = desk.folder / "rotate" / "ca" / "trusted.pem"
        yield {"HTTPS_PROXY": f"http://127.0.0.1:{port}", "CODEX_CA_CERTIFICATE": str(trusted)}
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def give_login(desk: Desk, name: str) -> str:
    """The key in it."""
    (desk.folder / "client" / "auth.json").unlink()
    desk.rotate("people", "add", name)
    told = desk.rotate("people", "login", name, "--expires", "30d", "--json")
    login = json.loads(told)["login"]
    (desk.folder / "client" / "auth.json").write_text(json.dumps(login))
    return str(login["tokens"]["access_token"])


def client(desk: Desk, told: dict[str, str], *words: str) -> Ran:
    """A command of the client's that is no turn."""
    return finish(desk.start([str(desk.binary), *words], told))


def quiet(ran: Ran) -> bool:
    """Whether no trouble was on the screen but what is said of WebSockets that are switched off."""
    lines = [line for line in ran.err.splitlines() if "ERROR" in line and "responses_websocket" not in line]
    return not lines and "Reconnecting" not in ran.err


def test_its_user_notices_no_difference_and_nothing_of_it_leaves(desk: Desk) -> None:
    token = give_login(desk, "ann")
    with serving(desk) as told:
        assert "Logged in using ChatGPT" in client(desk, told, "login", "status").err
        first = finish(desk.start(desk.client("say hi"), told))
        desk.upstream.fault(desk.accounts[0].account_id, Fault(FaultKind.USAGE_LIMIT, resets_in=7200))
        again = finish(desk.start(desk.client("resume", "--last", "say more"), told))
        out = client(desk, told, "logout")
    assert (first.code, first.out, quiet(first)) == (0, PLAIN, True), first.err
    assert (again.code, again.out, quiet(again)) == (0, "Hello from acc-2.\n", True), again.err
    assert out.code == 0
    assert (desk.turns()[0], desk.turns()[-1]) == ("acc-1", "acc-2")
    for each in desk.upstream.requests:
        sent = f"{each.headers}{each.body.decode('utf-8', 'replace')}{each.messages}"
        assert token not in sent
        assert PREFIX not in sent
    assert {each.path.partition("?")[0] for each in desk.upstream.requests} <= {
        "/backend-api/codex/responses",
        "/backend-api/codex/models",
        "/oauth/revoke",  # with a refresh token that says nothing
    }


def test_one_that_was_taken_back_says_so_at_once(desk: Desk) -> None:
    give_login(desk, "ann")
    with serving(desk) as told:
        desk.rotate("people", "remove", "ann")
        desk.rotate("keys", "add", "somebody-else")
        ran = finish(desk.start(desk.client("say hi"), told))
    assert ran.code == 1
    assert "has taken back the key of ann" in ran.err
    assert "Reconnecting" not in ran.err
    assert desk.served_by() == []


def test_one_whose_token_seems_to_end_is_served_and_stays_as_it_is(desk: Desk) -> None:
    """The client asks for a newer token, of the provider's own endpoint: there is none, and nothing is lost by that."""
    give_login(desk, "ann")
    secret, now = new_secret(), clock.now()  # a login as it would be in ten years
    document = login_document("ann", secret, now - LASTS + 60)
    with Store(desk.folder / "rotate" / "pool.db") as store:
        store.people.put_key(ClientKey(name="old", digest="", person="ann", created_at=now), secret).result()
    file = desk.folder / "client" / "auth.json"
    file.write_text(json.dumps(document))
    before = file.read_bytes()
    with serving(desk) as told:
        ran = finish(desk.start(desk.client("say hi"), told))
    assert (ran.code, ran.out) == (0, PLAIN), ran.err
    assert file.read_bytes() == before
    told_elsewhere = [each.json() for each in desk.upstream.requests_to("/oauth/token")]
    assert {each["refresh_token"] for each in told_elsewhere} == {NO_REFRESH}
    assert secret not in str(told_elsewhere)

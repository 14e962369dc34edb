"""No token and no cookie is in what is shown or saved: the flow file, the log, the files beside the database."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from accounts.store.store import Store
from standin import ANY_ACCOUNT, Account, Fault, FaultKind, StandIn
from tests.harness import Proxy, fill, options, put, secrets_of
from tests.proxy.clients import ASK, CHATGPT, MODELS, RESPONSES, Http2, Socket, http1, turn1, turn_ws

COOKIE = "__cf_bm=cookie-that-the-client-sends"


@dataclass
class Session:
    """All that a proxy left behind, and all that should not be in it."""

    flows: bytes
    output: bytes
    files: dict[str, bytes]
    managed: set[str]
    own: set[str]
    cookies: set[str]

    def leaks(self, secrets: set[str], *places: bytes) -> list[str]:
        return [f"{secret[:12]}…" for secret in secrets for place in places if secret.encode() in place]


def talk(proxy: Proxy, upstream: StandIn, accounts: list[Account], own: Account) -> set[str]:
    """A session with a bit of everything; the cookies that upstream has set meanwhile."""
    headers = {"authorization": f"Bearer {own.access_token}", "chatgpt-account-id": own.account_id, "cookie": COOKIE}
    cookies: set[str] = set()
    first, _, third = (account.account_id for account in accounts)
    accounts[0].expire()
    with http1(proxy) as client, Http2(proxy) as other:
        for number, fault in enumerate(
            [
                None,
                Fault(FaultKind.RESET),
                Fault(FaultKind.FAILED_EVENT),
                Fault(FaultKind.CLOUDFLARE),
                Fault(FaultKind.EMPTY),
            ]
        ):
            if fault:
                upstream.fault(ANY_ACCOUNT, fault, times=1)  # of whoever is asked next
            cookies.add(turn1(client, {**headers, "thread-id": f"a{number}"}).headers.get("set-cookie", ""))
            cookies.add(other.turn({**headers, "thread-id": f"b{number}"}).headers.get("set-cookie", ""))
        client.get(MODELS, headers=headers)
        client.get("/backend-api/wham/usage", headers=headers)
        client.post("/backend-api/nowhere", headers=headers, content=ASK)
        upstream.clear()
        upstream.fault(ANY_ACCOUNT, Fault(FaultKind.UNAUTHORIZED_EXPIRED), times=2)
        upstream.fault(ANY_ACCOUNT, Fault(FaultKind.TOKEN_SERVER_ERROR), times=1)
        cookies.add(turn1(client, headers).headers.get("set-cookie", ""))
        upstream.clear()
        accounts[1].revoke()
        upstream.fault(first, Fault(FaultKind.USAGE_LIMIT, resets_in=60))
        cookies.add(turn1(client, headers).headers.get("set-cookie", ""))
        upstream.fault(third, Fault(FaultKind.ERROR_EVENT), times=1)
        turn_ws(proxy, headers)
        with Socket(proxy, headers) as socket:
            cookies.add(socket.upgrade.headers.get("set-cookie", ""))
            socket.turn()
        upstream.fault(third, Fault(FaultKind.USAGE_LIMIT, resets_in=60))
        assert turn1(client, headers).status == 429
    return {cookie.partition(";")[0] for cookie in cookies if cookie} | {COOKIE}


@pytest.fixture(scope="module", params=[True, False], ids=["redacted", "rotate_redact=false"])
def session(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, confdir: Path
) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("session")
    home, flows = folder / "rotate", folder / "flows"
    flags = [*options(flow_detail=4, rotate_head_timeout=5, rotate_redact=request.param), "-v", "-w", str(flows)]
    with StandIn() as upstream:
        accounts = [upstream.add_account(f"acc-{number}") for number in (1, 2, 3)]
        own = upstream.add_account("acc-own")
        fill(home, accounts, folder)
        with Proxy(upstream, home, confdir, flags) as proxy:
            cookies = talk(proxy, upstream, accounts, own)
            output = proxy.stop()
        assert upstream.refreshes
        yield Session(
            flows=flows.read_bytes(),
            output=output.encode(),
            files={
                path.name: path.read_bytes()
                for path in home.rglob("*")
                if path.is_file() and not path.name.startswith(("pool.db", "auto-"))  # and its daily copy
            },
            managed=secrets_of(accounts),
            own=secrets_of([own]),
            cookies=cookies,
        )


def test_the_session_had_everything_in_it(session: Session):
    assert len(session.managed) > 9, "tokens were renewed"
    assert len(session.cookies) > 5
    assert RESPONSES.encode() in session.flows
    assert CHATGPT.encode() in session.output
    assert b"codex-rotate" in session.output
    assert any(name.endswith(".lock") for name in session.files)


def test_managed_tokens_are_nowhere(session: Session):
    assert session.leaks(session.managed, session.flows, session.output, *session.files.values()) == []


def test_parts_of_managed_tokens_are_nowhere(session: Session):
    """A signature is as good as a search for the token; nothing makes a part of one useful to show."""
    signatures = {token.rpartition(".")[2] for token in session.managed if token.count(".") == 2}
    assert signatures
    assert session.leaks(signatures, session.flows, session.output, *session.files.values()) == []


def test_the_client_s_own_secrets_are_shown_only_on_request(session: Session, request: pytest.FixtureRequest):
    theirs = session.own | session.cookies
    if "rotate_redact=false" in request.node.name:
        # the control: a search that finds nothing must be able to find something
        assert session.leaks(theirs, session.flows, session.output)
        assert session.leaks(session.own, *session.files.values()) == []
    else:
        assert session.leaks(theirs, session.flows, session.output, *session.files.values()) == []


def test_the_database_and_its_folder_are_the_owner_s(tmp_path: Path, confdir: Path):
    with StandIn() as upstream:
        account = upstream.add_account("acc-1")
        fill(tmp_path / "rotate", [account], tmp_path)
        with Proxy(upstream, tmp_path / "rotate", confdir) as proxy, http1(proxy) as client:
            own = upstream.add_account("acc-own")
            account.expire()
            assert turn1(client, {"authorization": f"Bearer {own.access_token}"}).completed
            open_to_others = [
                path for path in (tmp_path / "rotate").rglob("*") if path.stat().st_mode & 0o077 and path.exists()
            ]
    assert open_to_others == []


def test_the_pool_s_history_holds_no_token(tmp_path: Path, confdir: Path):
    """An error that upstream words with the token in it is stored without."""
    with StandIn() as upstream:
        account, other = upstream.add_account("acc-1"), upstream.add_account("acc-2")
        own = upstream.add_account("acc-own")
        home = tmp_path / "rotate"
        fill(home, [account], tmp_path)
        upstream.fault("acc-1", Fault(FaultKind.SERVER_ERROR, code=account.access_token, message=account.refresh_token))
        with Proxy(upstream, home, confdir) as proxy, http1(proxy) as client:
            turn1(client, {"authorization": f"Bearer {own.access_token}"})
            with Store(home / "pool.db") as store:
                put(store, other, tmp_path, 2)
            turn1(client, {"authorization": f"Bearer {own.access_token}"})
            output = proxy.stop()
        with Store(home / "pool.db") as store:
            details = " ".join(event.detail for event in store.events(100))
    assert re.search("server_error", details)
    secrets = secrets_of([account, other])
    assert [secret for secret in secrets if secret in details] == []
    assert [secret for secret in secrets if secret in output] == []

"""When something of ours breaks, the request is refused: it never leaves with the wrong credentials, or at all."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from accounts.store.store import Store
from standin import StandIn
from tests.harness import Proxy, fill, options
from tests.proxy.clients import ASK, RESPONSES, Http2, Socket, http1
from tests.proxy.conftest import Bench

DEFECT = "refused because of a defect"

BREAKS = {
    "no pool": "ours.startup.service = None",
    "selection raises": "ours.startup.service.pool.select = broken",
    "sync raises": "ours.startup.service.sync = broken",
    "routing raises": "sys.modules['addons.rotator'].route_of = broken",
    "credentials raise": "sys.modules['addons.exchange.credentials'].managed = broken",
    "the exchange raises": "sys.modules['addons.exchange.pooled'].PooledRequest.start = broken",
    "reading the head raises": "sys.modules['addons.exchange.pooled'].PooledRequest.head = broken",
    "redaction raises": "sys.modules['addons.redaction.flows'].hide = broken",
}
"""What a script that runs after ours breaks; `ours` is our chain of addons, `broken` raises whatever it is given."""

SENT = frozenset({"reading the head raises"})
"""Where the request has already gone upstream, with the right credentials; only its answer is lost."""

BREAK = """
import sys
from addons import chain as ours

def broken(*_, **__):
    raise RuntimeError("broken by a test")

def running():
    {statement}
    print("broken by now", flush=True)
"""

type Break = Callable[[str], Bench]


@pytest.fixture
def broken(tmp_path: Path, confdir: Path) -> Iterator[Break]:
    """A proxy with one account in which a statement was executed after it had started."""
    with ExitStack() as stack:

        def start(statement: str) -> Bench:
            upstream = stack.enter_context(StandIn())
            own, account = upstream.add_account("acc-own"), upstream.add_account("acc-1")
            fill(tmp_path / "rotate", [account], tmp_path)
            script = tmp_path / "break.py"
            script.write_text(BREAK.format(statement=statement))
            proxy = stack.enter_context(Proxy(upstream, tmp_path / "rotate", confdir, options(), [script]))
            proxy.output.wait_for("broken by now", seconds=20)  # an error before that ends mitmproxy
            store = stack.enter_context(Store(tmp_path / "rotate" / "pool.db"))
            return Bench(upstream, proxy, store, own, tmp_path, accounts=[account])

        yield start


def refused(bench: Bench, *, sent: bool = False) -> bool:
    """Nothing went upstream, unless it went with an account's credentials, and the log says it in one line."""
    assert bench.served_by() == (["first"] if sent else [])
    output = bench.proxy.stop()
    assert len(re.findall(DEFECT, output)) == 1, output
    assert bench.home.access_token not in output
    return True


@pytest.mark.parametrize("what", BREAKS)
def test_a_defect_is_a_503_in_json(broken: Break, what: str):
    bench = broken(BREAKS[what])
    with http1(bench.proxy) as client:
        answer = client.post(RESPONSES, headers=bench.headers(), content=ASK)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["type"] == "codex_rotate_defect"
    assert refused(bench, sent=what in SENT)


@pytest.mark.parametrize("what", ["selection raises", "routing raises"])
def test_a_defect_is_a_503_on_http2_and_on_an_upgrade(broken: Break, what: str):
    bench = broken(BREAKS[what])
    with Http2(bench.proxy) as client:
        assert client.turn(bench.headers()).error["type"] == "codex_rotate_defect"
    with Socket(bench.proxy, bench.headers()) as client:
        assert client.upgrade.status == 503
    assert bench.seen() == ()


def test_a_defect_does_not_stop_the_client_s_own_requests(broken: Break):
    """Only what needs the pool is refused."""
    bench = broken(BREAKS["selection raises"])
    with http1(bench.proxy) as client:
        assert client.get("/backend-api/wham/usage", headers=bench.headers()).status_code == 200
    assert bench.seen()[0].account_id == "acc-own"


def test_a_defect_while_a_token_is_renewed(broken: Break):
    bench = broken("ours.startup.service.renewals.renew = broken")
    bench.first.expire()
    with http1(bench.proxy) as client:
        answer = client.post(RESPONSES, headers=bench.headers(), content=ASK)
    assert answer.status_code == 503
    assert refused(bench, sent=True)


@pytest.mark.parametrize("side", ["from_client", "from_server"])
def test_a_defect_in_a_socket_ends_the_turn_with_an_error(broken: Break, side: str):
    """A message that could not be judged is not passed on."""
    bench = broken(f"sys.modules['addons.exchange.sockets.pooled_socket'].PooledSocket.{side} = broken")
    with Socket(bench.proxy, bench.headers()) as client:
        assert client.upgrade.status == 101
        answer = client.turn()
    assert answer.error["type"] == "codex_rotate_defect"
    assert (bench.seen()[0].messages == ()) is (side == "from_client")


# --- a proxy that cannot start ---------------------------------------------------------------------------------------


def cannot_start(home: Path, confdir: Path) -> list[str]:
    """Start, expect exit code 1 and no traceback; the lines of the output."""
    with StandIn() as upstream, Proxy(upstream, home, confdir) as proxy:
        assert proxy.process.wait(20) == 1
        output = proxy.stop()
    assert "Traceback" not in output
    return output.strip().splitlines()


def test_a_pool_without_accounts_says_which_command_to_run(tmp_path: Path, confdir: Path):
    lines = cannot_start(tmp_path / "rotate", confdir)
    assert "codex-rotate import" in "\n".join(lines[-2:])


@pytest.mark.parametrize("home", ["pool", "a\nb", __file__])
def test_a_home_that_cannot_be_one_says_which_variable_it_is(confdir: Path, home: str):
    """It is not looked for in whatever folder the proxy was started in."""
    said = "\n".join(cannot_start(Path(home), confdir))
    assert re.search(r"codex-rotate: CODEX_ROTATE_HOME .* Set it", said)


def test_a_database_that_is_none_says_which_file_it_is(tmp_path: Path, confdir: Path):
    home = tmp_path / "rotate"
    home.mkdir(mode=0o700)
    (home / "pool.db").write_bytes(b"this is not a database, whatever its name says" * 100)
    lines = cannot_start(home, confdir)
    assert str(home / "pool.db") in "\n".join(lines[-2:])
    assert (home / "pool.db").read_bytes().startswith(b"this is not")


def test_a_database_of_a_newer_version_says_what_to_do(tmp_path: Path, confdir: Path):
    home = tmp_path / "rotate"
    with StandIn() as upstream:
        fill(home, [upstream.add_account("acc-1")], tmp_path)
    with sqlite3.connect(home / "pool.db") as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    assert "upgrade codex-rotate" in "\n".join(cannot_start(home, confdir)[-2:])

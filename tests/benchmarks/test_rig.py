"""The cases are what they say they are, and nothing is left of them afterwards."""

import asyncio
import os
import sys

import pytest

from accounts.store.store import Store
from benchmarks import rig
from benchmarks.cases import CASES, LEAN, OURS, PLAIN, SCRIPT, TWO, UNRECORDED, WATCHED, Case, named
from benchmarks.load import CLIENTS, Failed
from benchmarks.orders import Order
from benchmarks.rig import DidNotStart, arguments, fill, rigged
from cli.running import proxy_command

pytestmark = pytest.mark.usefixtures("warm_starts")
linux = pytest.mark.skipif(sys.platform != "linux", reason="its proxies end with it by a Linux call")


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@linux
async def test_ours_rotates_and_plain_does_not():
    """The same work on both: a refusal reaches the client of the one, and another account serves that of the other."""
    refused = Order(fails=1)
    async with rigged() as bench:
        folder = bench.folder
        ours, plain = [
            await bench.start(case) for case in (Case(name="two of ours", what="", accounts=2), *named((PLAIN,)))
        ]
        for name in ("HTTP/1.1", "HTTP/2"):
            client = await CLIENTS[name].open(ours.target, "thread", refused)
            assert (await client.turn(refused, thread=f"ours {name}")).ended
            client.close()
            other = await CLIENTS[name].open(plain.target, "thread", refused)
            with pytest.raises(Failed, match="429"):
                await other.turn(refused, thread=f"plain {name}")
            other.close()
            if name == "HTTP/1.1":
                await bench.end(*ours.programs)  # both accounts rest for a moment
                ours = await bench.start(Case(name="two more", what="", accounts=2))
        pids = [*ours.pids, *plain.pids]
        assert not any(map(gone, pids))
    assert all(map(gone, pids))
    assert not folder.exists()


@linux
async def test_two_workers_share_a_port():
    async with rigged() as bench:
        [case] = named((TWO,))
        running = await bench.start(case)
        assert len(set(running.pids)) == 2
        client = await CLIENTS["HTTP/1.1"].open(running.target, "thread", Order())
        assert (await client.turn(Order())).ended
        client.close()


@linux
async def test_what_goes_on_beside_a_turn_goes_on_or_not():
    """Ten browsers read what the page tells; without records the ledger stays empty."""
    async with rigged() as bench:
        for case in named((WATCHED, UNRECORDED)):
            running = await bench.start(case)
            client = await CLIENTS["HTTP/1.1"].open(running.target, "thread", Order())
            assert (await client.turn(Order())).ended
            client.close()
            assert len(bench.pages) == case.pages
            assert not any(page.done() for page in bench.pages)
            await bench.end(*running.programs)
            await asyncio.gather(*bench.pages)
            bench.pages.clear()
            written = (running.folder / "home" / "usage.db").exists()
            assert written is (case.name == WATCHED)


@linux
async def test_a_proxy_that_does_not_start_says_why():
    broken = Case(name="broken", what="", flags=("--no-such-flag",))
    async with rigged() as bench:
        with pytest.raises(DidNotStart, match="no-such-flag"):
            await bench.start(broken)


def test_plain_is_started_as_ours_but_for_the_addon(tmp_path):
    """Otherwise something else than the addon would be measured."""
    by_name = {case.name: arguments(case, 0, tmp_path, tmp_path / "ca.pem", tmp_path) for case in CASES if case.proxied}
    scripts = (str(rig.ROOT / "benchmarks" / "scripts" / "streamed.py"), str(rig.ROOT / "rotate.py"))
    *script, option, off = by_name[SCRIPT]
    assert (option, off) == ("--set", "rotate_hook_index=false")
    assert [pair for pair in zip(by_name[PLAIN], script, strict=True) if len(set(pair)) > 1] == [scripts]
    assert [pair for pair in zip(by_name[LEAN], by_name[OURS], strict=True) if len(set(pair)) > 1] == [scripts]


def test_plain_is_mitmproxys_own_and_ours_what_serve_starts(tmp_path):
    by_name = {case.name: arguments(case, 0, tmp_path, tmp_path / "ca.pem", tmp_path) for case in CASES if case.proxied}
    serve = proxy_command.command("127.0.0.1", 0, tmp_path, web=False)
    assert by_name[OURS][: len(serve)] == serve
    assert by_name[PLAIN][:3] == [*serve[:2], "from mitmproxy.tools.main import mitmdump; mitmdump()"]


def test_a_pool_is_filled(tmp_path):
    fill(tmp_path / "home", 3)
    with Store(tmp_path / "home" / "pool.db") as store:
        assert len(store.accounts()) == len(store.all_credentials()) == len(store.windows()) == 3

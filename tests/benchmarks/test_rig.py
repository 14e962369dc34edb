"""The cases are what they say they are, and nothing is left of them afterwards."""

import asyncio
import os
import sys
from contextlib import closing

import pytest

from accounts.ledger.usage_db import open_to_read
from accounts.store.store import Store
from benchmarks import rig
from benchmarks.cases import CASES, LEAN, OURS, PLAIN, SCRIPT, TEN, TWO, UNRECORDED, WATCHED, Case, named
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


async def one_turn(running):
    client = await CLIENTS["HTTP/1.1"].open(running.target, "thread", Order())
    assert (await client.turn(Order())).ended
    client.close()


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
        await one_turn(running)


@linux
async def test_ten_browsers_read_what_the_page_tells():
    async with rigged() as bench:
        [case] = named((WATCHED,))
        running = await bench.start(case)
        await one_turn(running)
        assert len(bench.pages) == case.pages
        assert not any(page.done() for page in bench.pages)
        await bench.end(*running.programs)
        await asyncio.gather(*bench.pages)


@linux
@pytest.mark.parametrize("last", [TEN, UNRECORDED])
async def test_the_same_process_makes_records_or_none_as_it_is_told(last):
    async with rigged() as bench:
        ten, unrecorded = named((TEN, UNRECORDED))
        running = await bench.start(ten)
        other = await bench.start(unrecorded, running)
        assert other.pids == running.pids
        for each in (other, other, running, other, running):
            if each is running and last == UNRECORDED:
                continue
            each.tell()
            await one_turn(each)
        await bench.end(*running.programs)
        file = running.folder / "home" / "usage.db"
        assert file.exists() is (last == TEN)
        if last == TEN:
            with closing(open_to_read(file)) as db:
                assert db.execute("SELECT count(*) FROM turns").fetchone() == (2,)


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

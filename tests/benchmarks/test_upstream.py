"""The upstream of the bench answers what it is asked for, over all three protocols."""

import pytest

from benchmarks.load import CLIENTS, Failed, Target
from benchmarks.orders import Order
from benchmarks.upstream import CA_FILE, LIMIT, Refusals, start
from benchmarks.works import body_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One certificate authority for the module: making one takes longer than using it."""
    return tmp_path_factory.mktemp("bench-upstream")


@pytest.fixture
async def target(folder):
    server = await start(folder)
    async with server:
        yield Target(server.sockets[0].getsockname()[1], folder / CA_FILE, proxied=False)
        server.close_clients()


@pytest.mark.parametrize("name", CLIENTS)
async def test_every_client_gets_its_answer(target, name):
    client = await CLIENTS[name].open(target, "thread", Order(events=3))
    for _ in range(3):
        turn = await client.turn(Order(events=3))
        assert turn.began <= turn.first <= turn.ended
    client.close()


@pytest.mark.parametrize("name", ["HTTP/1.1", "HTTP/2"])
async def test_pieces_that_come_one_by_one_bear_their_time(target, name):
    client = await CLIENTS[name].open(target, "thread", Order())
    turn = await client.turn(Order(events=4, gap=0.001))
    assert len(turn.delays) == 4
    assert all(0 <= delay < 10 for delay in turn.delays)
    assert turn.ended - turn.began >= 0.004
    client.close()


@pytest.mark.parametrize("name", ["HTTP/1.1", "HTTP/2"])
async def test_a_thread_is_refused_as_often_as_it_asks_for(target, name):
    client = await CLIENTS[name].open(target, "thread", Order())
    with pytest.raises(Failed, match="429"):
        await client.turn(Order(fails=1), thread=f"refused-{name}")
    client.close()
    again = await CLIENTS[name].open(target, "thread", Order())
    assert (await again.turn(Order(fails=1), thread=f"refused-{name}")).ended
    again.close()


@pytest.mark.parametrize("name", ["HTTP/1.1", "HTTP/2"])
async def test_large_bodies_arrive(target, name):
    body = body_of(3 * LIMIT)
    assert len(body) > LIMIT
    client = await CLIENTS[name].open(target, "thread", Order())
    for _ in range(2):
        assert (await client.turn(Order(), body)).ended
    client.close()


async def test_an_answer_that_is_held_begins_and_does_not_end(target):
    client = await CLIENTS["HTTP/1.1"].open(target, "thread", Order())
    order = Order(events=1, hold=True)
    assert (await client.turn(order)).first
    client.close()


async def test_a_connection_can_end_with_its_answer(target):
    client = await CLIENTS["HTTP/1.1"].open(target, "thread", Order())
    assert (await client.turn(Order(closes=True))).ended
    assert await client.reader.read() == b""
    client.close()


def test_threads_that_want_no_refusal_are_not_counted():
    refusals = Refusals()
    assert [refusals.due(Order(), "a"), refusals.due(Order(fails=1), "a")] == [False, True]
    assert [refusals.due(Order(fails=1), "a"), refusals.due(Order(fails=1), "b")] == [False, True]

"""The pool's file is taken away, emptied or replaced under a proxy that runs: turns go on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from standin import StandIn
from tests.harness import Proxy, fill
from tests.proxy.clients import http1, turn1


@pytest.fixture
def upstream() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


def emptied(path: Path) -> None:
    path.write_bytes(b"")
    path.with_name("pool.db-wal").write_bytes(b"")


def overwritten(path: Path) -> None:
    path.write_bytes(b"\xff" * path.stat().st_size)


@pytest.mark.parametrize("harm", [Path.unlink, emptied, overwritten])
def test_turns_go_on_and_the_log_says_it_once(
    upstream: StandIn, tmp_path: Path, confdir: Path, harm: Callable[[Path], None]
) -> None:
    home = tmp_path / "rotate"
    own, first = upstream.add_account("acc-own"), upstream.add_account("acc-1")
    fill(home, [first], tmp_path)
    with Proxy(upstream, home, confdir) as proxy, http1(proxy) as client:
        headers = {"authorization": f"Bearer {own.access_token}", "content-type": "application/json"}

        def turns() -> set[str]:
            return {turn1(client, headers | {"thread-id": f"t{number}"}).text for number in range(3)}

        assert turns() == {first.answer}
        harm(home / "pool.db")
        assert turns() == {first.answer}
        proxy.output.wait_for(r"pool\.db .*goes on from memory \(accounts: 1\)", seconds=10)
        assert turns() == {first.answer}
        said = proxy.stop()
    assert said.count("goes on from memory") == 1
    assert "defect" not in said

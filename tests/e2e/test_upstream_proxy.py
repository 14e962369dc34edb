"""The official CLI where the only way out is a company's proxy: one complete turn on each transport."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from standin import Fault, FaultKind, StandIn
from tests.corporate import Corporate
from tests.e2e.codex import Codex, settle_in
from tests.e2e.conftest import Scene
from tests.e2e.test_rotation import SAY_HI, unnoticed
from tests.harness import fill, options, write_login
from tests.proxy.test_upstream_proxy import Behind

type Place = tuple[Scene, Corporate]


@pytest.fixture
def place(binary: Path, transport: str, tmp_path: Path, confdir: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        upstream = stack.enter_context(StandIn())
        hosts = {443: upstream.port, 80: upstream.plain_port}
        corporate = stack.enter_context(Corporate(hosts, "ann", "right"))
        accounts = tuple(upstream.add_account(f"acc-{number}") for number in (1, 2))
        home = upstream.add_account("acc-home", expires_in=3600)
        client_home, work = tmp_path / "client", tmp_path / "work"
        for folder in (client_home, work):
            folder.mkdir()
        settle_in(binary, client_home)
        write_login(home, client_home / "auth.json")
        fill(tmp_path / "rotate", accounts, tmp_path)
        setting = f'upstream_proxy = "{corporate.url("ann", "right")}"\n'
        (tmp_path / "rotate" / "config.toml").write_text(setting, encoding="utf-8")
        flags = options(rotate_transport=transport)
        env = {"CODEX_HOME": str(client_home)}
        proxy = stack.enter_context(Behind(upstream, tmp_path / "rotate", confdir, flags, env=env))
        codex = Codex(binary, proxy, client_home, work)
        yield Scene(upstream, proxy, codex, accounts, home), corporate


def test_a_turn_through_it(place: Place, transport: str) -> None:
    scene, corporate = place
    assert unnoticed(scene.codex.run(SAY_HI), "Hello from acc-1.", transport)
    assert set(scene.served_by()) == {"acc-1"}
    assert "chatgpt.com:443" in corporate.targets()
    assert {each.status for each in corporate.asked} == {200}
    assert {seen.header("proxy-authorization") for seen in scene.upstream.requests} == {None}


def test_another_account_answers_through_it(place: Place, transport: str) -> None:
    scene, _ = place
    scene.upstream.fault("acc-1", Fault(FaultKind.USAGE_LIMIT, resets_in=3600))
    assert unnoticed(scene.codex.run(SAY_HI), "Hello from acc-2.", transport)

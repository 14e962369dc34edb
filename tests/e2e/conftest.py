"""The official CLI, the proxy and the stand-in, one set per test."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.running import proxy_command
from standin import Account, StandIn
from tests import in_turn
from tests.e2e.codex import Codex, settle_in
from tests.harness import Proxy, fill, options, write_login

HERE = Path(__file__).resolve().parent
INSTALLED = HERE / "node_modules" / ".bin" / "codex"


TRANSPORTS = ("auto", "sse")
"""How the client talks to the Responses API: WebSocket, or server-sent events."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if str(item.path).startswith(f"{HERE}{os.sep}")]  # asked of every test there is
    for item in ours:
        item.add_marker(pytest.mark.codex)
    in_turn.leave_out(config, items, [item for item in ours if not names_its_transports(item)], TRANSPORTS)


def names_its_transports(item: pytest.Item) -> bool:
    return any("transport" in mark.args[0] for mark in item.iter_markers("parametrize"))


@dataclass(frozen=True)
class Scene:
    """Two managed accounts, a client with a login of its own, and the proxy between it and the stand-in."""

    upstream: StandIn
    proxy: Proxy
    codex: Codex
    accounts: tuple[Account, ...]
    home: Account

    def served_by(self) -> list[str | None]:
        """Whose token each model request bore."""
        return [seen.account_id for seen in self.upstream.requests_to("/backend-api/codex/responses")]


BOTH_TRANSPORTS = pytest.mark.parametrize("transport", TRANSPORTS, indirect=True)
"""For what the transports decide, or the client does otherwise over each."""
ONE_TRANSPORT = pytest.mark.parametrize(
    "transport", TRANSPORTS if "COLD" in os.environ else TRANSPORTS[:1], indirect=True
)
"""For what happens before there is a transport, or above it; `make newest` tries both."""

type SetUp = Callable[..., Scene]


@pytest.fixture(scope="session")
def launcher() -> Path:
    """The official CLI as its users start it."""
    found = Path(os.environ["CODEX_BIN"]) if os.environ.get("CODEX_BIN") else INSTALLED
    if not found.exists():
        reason = f"no Codex CLI at {found}: run `make codex`, or set CODEX_BIN"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def binary(launcher: Path) -> Path:
    """What npm's launcher becomes: Node takes as long to find it as the client does for all else before a turn."""
    native = sorted(launcher.resolve().parents[2].glob("codex-*/vendor/*/bin/codex"))
    return native[0] if len(native) == 1 and "COLD" not in os.environ else launcher


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """One of them. Without `make newest` the cases of a file take turns (tests/in_turn.py)."""
    return str(request.param)


@pytest.fixture
def set_up(binary: Path, transport: str, tmp_path: Path, confdir: Path) -> Iterator[SetUp]:
    with ExitStack() as stack:

        def make(home_lives: float = 3600.0, **settings: object) -> Scene:
            upstream = stack.enter_context(StandIn())
            accounts = tuple(upstream.add_account(f"acc-{number}") for number in (1, 2))
            home = upstream.add_account("acc-home", expires_in=home_lives)
            client_home = tmp_path / "client"
            work = tmp_path / "work"
            for folder in (client_home, work):
                folder.mkdir()
            settle_in(binary, client_home)
            write_login(home, client_home / "auth.json")
            fill(tmp_path / "rotate", accounts, tmp_path)
            flags = options(rotate_transport=transport, **settings)
            env = {"CODEX_HOME": str(client_home)}
            proxy = stack.enter_context(
                Proxy(upstream, tmp_path / "rotate", confdir, flags, env=env, tool=proxy_command.start("mitmdump"))
            )
            codex = Codex(binary, proxy, client_home, work)
            return Scene(upstream, proxy, codex, accounts, home)

        yield make

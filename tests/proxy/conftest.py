"""One proxy and one stand-in for a whole module; every test gets accounts of its own in their pool."""

import itertools
import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest

from accounts.choice.decision_record import DECISION
from accounts.model import Affinity, Cooldown, Event, Standing
from accounts.store.store import Store
from config import clock
from standin import ANY_ACCOUNT, Account, Fault, FaultKind, Pace, SeenRequest, StandIn
from standin.model.attempts import End
from tests import in_turn
from tests.harness import START_SECONDS, Proxy, eventually, options, put
from tests.proxy.clients import RESPONSES, Headers, http1, turn1

LOADED = re.compile(r"codex-rotate: \d+ accounts from")
_numbers = itertools.count(1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is judged by the same code over HTTP/1.1 and HTTP/2 is asked of one of them, where a module says so."""
    some = [item for item in items if getattr(getattr(item, "module", None), "ONE_HTTP", False)]
    in_turn.leave_out(config, items, some, ("h1", "h2", "http1", "http2"))


@dataclass
class Bench:
    """The proxy, what is behind it, and a second opening of its pool, as the CLI has one."""

    upstream: StandIn
    proxy: Proxy
    store: Store
    home: Account
    folder: Path
    accounts: list[Account] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    thread: str = ""
    began: int = 0
    troubles: bool = True
    """Whether a test may leave accounts behind that have failed."""

    def start_test(self, seats: int = 2) -> None:
        """Accounts of its own for a test; whatever an earlier one still has under way concerns nobody any more."""
        troubled = self.troubles and not self._ended_well()
        self.upstream.clear()
        self.upstream.release()
        for seat in self.store.accounts():
            self.store.remove_account(seat.key).result()
        self.accounts.clear()
        self.keys.clear()
        for _ in range(seats):
            self.add()
        self.thread = f"thread-{next(_numbers)}"
        if troubled:
            self.calm()
        self.begin()

    def _ended_well(self) -> bool:
        """Whether the last that upstream was asked in the test before was answered whole: by that the pool forgets."""
        asked = [seen for seen in self.seen() if seen.path.partition("?")[0] == RESPONSES]
        last = max((each for seen in asked for each in seen.attempts), key=lambda each: each.number, default=None)
        return bool(last and asked[-1].attempts) and last.end is End.WHOLE

    def calm(self) -> None:
        """Something goes well: what an earlier test's accounts suffered is no sign of upstream's trouble any more."""
        self.upstream.pace(ANY_ACCOUNT, Pace(late_end=0))  # nobody looks at this turn, and there is one for each test
        assert turn1(self.calm_client, self.headers(thread_id="calm")).completed
        self.upstream.pace(ANY_ACCOUNT, Pace())
        self.begin()

    @cached_property
    def calm_client(self) -> httpx.Client:
        """Its connection stays for all tests: to open one takes longer than a turn."""
        return http1(self.proxy)

    def close(self) -> None:
        """Let go of the proxy."""
        if "calm_client" in vars(self):
            self.calm_client.close()

    def add(self) -> Account:
        """One more account, less preferred than the ones before."""
        number = next(_numbers)
        account = self.upstream.add_account(f"acc-{number}")
        self.keys[account.account_id] = put(self.store, account, self.folder, number)
        self.accounts.append(account)
        return account

    @property
    def first(self) -> Account:
        return self.accounts[0]

    @property
    def second(self) -> Account:
        return self.accounts[1]

    def fault(self, account: Account, kind: FaultKind, *, times: int | None = None, **details: object) -> None:
        self.upstream.fault(account.account_id, Fault(kind, **details), times)  # type: ignore[arg-type]

    def headers(self, **more: str) -> Headers:
        """The headers of the client's own request."""
        return {
            "authorization": f"Bearer {self.home.access_token}",
            "chatgpt-account-id": self.home.account_id,
            "content-type": "application/json",
            "thread-id": self.thread,
            **{name.replace("_", "-"): value for name, value in more.items()},
        }

    # what upstream saw

    def begin(self) -> None:
        """What upstream has seen until now concerns nobody any more."""
        with self.upstream._state.changed:
            self.began = len(self.upstream._state.records)

    def seen(self) -> tuple[SeenRequest, ...]:
        """The requests of this test. All of a module, as the stand-in tells them, would be copied for each look."""
        with self.upstream._state.changed:
            return tuple(record.snapshot() for record in self.upstream._state.records[self.began :])

    def served_by(self, path: str = RESPONSES) -> list[str | None]:
        """Whose token each model request of this test bore, by the account's place in it: "first", "second", "own"."""
        places = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"]
        names = dict(zip((one.account_id for one in self.accounts), places, strict=False))
        names[self.home.account_id] = "own"
        asked = (seen for seen in self.seen() if seen.path.partition("?")[0] == path)
        return [names.get(seen.account_id or "", seen.account_id) for seen in asked]

    # what the pool thinks

    def settle(self) -> None:
        """Wait until the pool on disk knows of this test's successful turn, and so of everything before it."""
        assert eventually(lambda: self.thread in {kept.thread for kept in self.affinities()}), "the turn is not stored"

    def affinities(self) -> tuple[Affinity, ...]:
        return self.store.affinities(1000)

    def events(self) -> list[Event]:
        """What happened to this test's accounts, oldest first, without how requests were decided."""
        keys = set(self.keys.values())
        return [e for e in reversed(self.store.events(300)) if e.key in keys and e.kind != DECISION]

    def decisions(self) -> list[dict[str, Any]]:
        """How this test's requests were served, oldest first."""
        found = [e for e in reversed(self.store.events(300)) if e.kind == DECISION and e.thread == self.thread]
        return [json.loads(each.detail) for each in found]

    def happened(self, account: Account, kind: str) -> bool:
        """Wait until something is in the pool's history; what went with it is on disk before."""
        key = self.keys[account.account_id]
        return eventually(lambda: (key, kind) in [(event.key, event.kind) for event in self.events()])

    def cooldown(self, account: Account) -> Cooldown | None:
        return self.store.cooldowns().get(self.keys[account.account_id])

    def standing(self, account: Account) -> Standing:
        key = self.keys[account.account_id]
        return next(seat.standing for seat in self.store.accounts() if seat.key == key)

    def unpunished(self) -> bool:
        """Nobody rests and everybody is in good standing."""
        return not self.store.cooldowns() and {seat.standing for seat in self.store.accounts()} <= {Standing.GOOD}

    @property
    def now(self) -> float:
        return clock.now()


def open_bench(folder: Path, confdir: Path, flags: list[str], module: object = None) -> Iterator[Bench]:
    """A bench with one account, so that the proxy starts. What `shared` says of a module holds for `module`."""
    http2, env, scripts = (getattr(module, *each) for each in (("HTTP2", True), ("ENV", {}), ("SCRIPTS", ())))
    home = folder / "rotate"
    home.mkdir(mode=0o700)
    by_hand = getattr(module, "BY_HAND", False)
    with StandIn(http2=http2, by_hand=by_hand) as upstream, Store(home / "pool.db") as store:
        own = upstream.add_account("acc-own")
        put(store, upstream.add_account("acc-0"), folder, 0)
        with Proxy(upstream, home, confdir, flags, scripts, env=env) as proxy:
            proxy.output.wait_for(LOADED, seconds=START_SECONDS)  # it listens first; the tests change the pool at once
            troubles = getattr(module, "TROUBLES", True)
            with closing(Bench(upstream, proxy, store, own, folder, troubles=troubles)) as bench:
                yield bench


@pytest.fixture(scope="module")
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, confdir: Path) -> Iterator[Bench]:
    """The module's bench. A module may set `OPTIONS`, `FLAGS`, `ENV` and `SCRIPTS` of its proxy, and `HTTP2 = False`
    and `BY_HAND = True` for upstream. With `TROUBLES = False` it says that none of its accounts ever fails."""
    settings = {"rotate_head_timeout": 1, **getattr(request.module, "OPTIONS", {})}
    flags = [*options(**settings), *getattr(request.module, "FLAGS", ())]
    yield from open_bench(tmp_path_factory.mktemp("bench"), confdir, flags, request.module)


@pytest.fixture
def bench(shared: Bench) -> Bench:
    shared.start_test()
    return shared

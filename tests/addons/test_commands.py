"""Commands for whoever watches the traffic: mitmproxy's own way of calling them, a real pool behind."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import exceptions
from mitmproxy.addons.view import View
from mitmproxy.test import taddons, tflow

from accounts.choice.quota import MAIN, Window
from accounts.model import Cooldown, Standing
from accounts.store.store import Store
from addons.commands import KeptFlows, PoolCommands
from addons.exchange.service import PoolService
from addons.recording import annotations
from addons.startup import Startup
from config import clock
from tests.builders import account, credentials
from tests.harness import eventually

type Call = Callable[[str, list[str]], Any]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "rotate" / "pool.db") as opened:
        for name in ("a", "b"):
            opened.put_account(account(name, plan="plus"), credentials(name)).result()
        yield opened


@pytest.fixture
def service(store: Store) -> Iterator[PoolService]:
    opened = PoolService(store.path, clock.now)
    yield opened
    opened.close()


@pytest.fixture
def call(service: PoolService) -> Iterator[Call]:
    """Calls a command as the palette does."""
    startup = Startup()
    startup.service = service
    with taddons.context(PoolCommands(startup)) as context:
        yield context.master.commands.call_strings


def test_the_accounts_are_listed(call: Call, store: Store) -> None:
    now = clock.now()
    key = account("b").key
    store.set_windows(
        key, (Window(family=MAIN, minutes=300, used_percent=40, resets_at=now + 60, seen_at=now),)
    ).result()
    store.set_cooldown(key, Cooldown(until=now + 600, reason="usage_limit", since=now)).result()
    store.choose_account(key).result()
    first, second = call("rotate.accounts", [])
    assert first == "a (plus): another account is pinned"
    assert second.startswith("* b (plus): resting until ")
    assert second.endswith("(usage limit), 5h 40 %")


def test_one_account_serves_until_the_pool_chooses_again(call: Call, service: PoolService, store: Store) -> None:
    """At once, in this proxy too."""
    call("rotate.use", ["b"])
    assert (store.chosen_account(), service.pool.policy.pin) == (account("b").key, account("b").key)
    call("rotate.use", ["auto"])
    assert (store.chosen_account(), service.pool.policy.pin) == ("", "")


def test_an_account_is_paused_and_comes_back(call: Call, service: PoolService, store: Store) -> None:
    call("rotate.pause", ["a"])
    assert [seat.enabled for seat in store.accounts()] == [False, True]
    assert service.pool.candidates[account("a").key].account.enabled is False
    call("rotate.pause", ["a"])
    assert [seat.enabled for seat in store.accounts()] == [True, True]


def test_a_rest_is_ended(call: Call, service: PoolService, store: Store) -> None:
    now = clock.now()
    store.set_cooldown(account("a").key, Cooldown(until=now + 600, reason="usage_limit", since=now)).result()
    call("rotate.clear", ["a"])
    assert store.cooldowns() == {}
    assert service.pool.candidates[account("a").key].cooldown is None


@pytest.mark.parametrize("name", ["rotate.use", "rotate.pause", "rotate.clear"])
def test_an_account_that_is_not_there_is_said_with_those_that_are(call: Call, name: str) -> None:
    with pytest.raises(exceptions.CommandError, match=r"no account 'c'\. The accounts are: a, b"):
        call(name, ["c"])


def test_a_pool_that_is_not_open_is_said() -> None:
    with taddons.context(PoolCommands(Startup())) as context, pytest.raises(exceptions.CommandError, match="not open"):
        context.master.commands.call_strings("rotate.accounts", [])


def shown(label: str, why: str, kind: str, status: int) -> dict[str, object]:
    return {"account": label, "why": why, "kind": kind, "detail": "", "seconds": 1.5, "status": status}


def test_why_a_flow_went_where_it_did(service: PoolService) -> None:
    served, others = tflow.tflow(), tflow.tflow()
    served.comment = "a 429 usage limit until 14:05 → b 200, 1.9 s, 1 rotation"
    served.metadata["codex_rotate.attempts"] = [
        shown("a", "it is the oldest of equals", "usage_limit", 429) | {"detail": "limit", "seconds": 0.4},
        shown("b", "it is the only one that can", "ok", 200),
    ]
    startup, view = Startup(), View()
    startup.service = service
    with taddons.context(view, PoolCommands(startup)) as context:
        view.add([served])
        told = context.master.commands.call_strings("rotate.why", ["@focus"])
        nothing = context.master.commands.call("rotate.why", [others])
    first, *steps = told
    assert first.endswith(" request, under way")
    assert steps == [
        "  - a (it is the oldest of equals): 429 usage limit (limit)",
        "  - b (it is the only one that can): answered",
    ]
    assert nothing == ["codex-rotate did not serve these flows from the pool."]


def test_in_mitmweb_a_flow_is_a_sentence(service: PoolService) -> None:
    """Its command bar shows what a command gives as one text."""
    served, startup = tflow.tflow(), Startup()
    served.metadata["codex_rotate.attempts"] = [shown("b", "it is the only one that can", "ok", 200)]
    startup.service = service

    class WebAddon:
        """By its name it is known where the command is called."""

    with taddons.context(WebAddon(), PoolCommands(startup)) as context:
        (told,) = context.master.commands.call("rotate.why", [served])
    assert told.endswith(" request, under way: b (it is the only one that can): answered.")


def test_a_paused_and_a_signed_out_account_say_so(call: Call, store: Store) -> None:
    store.update_account(account("a").key, enabled=False).result()
    store.set_standing(account("b").key, Standing.NEEDS_LOGIN).result()
    assert call("rotate.accounts", []) == ["a (plus): paused", "b (plus): needs login"]


def test_what_the_owner_keeps_of_an_account_is_said_beside_its_state(call: Call, store: Store) -> None:
    """As `list` says it: before the limit is reached such an account is ready, and not all of it is the pool's."""
    now, key = clock.now(), account("a").key
    store.update_account(key, reserve_percent=20, priority=3, tags=("eu",)).result()
    assert call("rotate.accounts", [])[0] == "a (plus): ready, #eu, priority 3, keeps 20 %"
    window = Window(family=MAIN, minutes=300, used_percent=85, resets_at=now + 60, seen_at=now)
    store.set_windows(key, (window,)).result()
    assert call("rotate.accounts", [])[0].startswith("a (plus): kept for its owner until ")


def test_an_account_is_named_as_in_every_command(call: Call, store: Store) -> None:
    """By its number in the list too, and what is done is in the history."""
    call("rotate.use", ["2"])
    assert store.chosen_account() == account("b").key
    call("rotate.pause", ["acct-a"])
    assert eventually(lambda: [event.kind for event in store.events(9)] == ["paused", "chosen"])


# --- how many flows are kept -----------------------------------------------------------------------------------------


def test_the_oldest_flows_go_but_not_what_is_live_or_marked() -> None:
    startup = Startup()
    view, keeping = View(), KeptFlows(startup)
    with taddons.context(view, startup, keeping) as context:
        context.options.update(rotate_keep_flows=3)
        flows = [tflow.tflow() for _ in range(6)]
        for number, each in enumerate(flows):
            each.live = number == 0
            each.request.timestamp_start = number
        flows[1].marked = ":eyes:"
        flows[2].marked = annotations.ROTATED
        view.add(flows)
        keeping.requestheaders(flows[-1])
        left = context.master.commands.call("view.flows.resolve", "@all")
        assert [flows.index(each) for each in left] == [0, 1, 5]
        context.options.update(rotate_keep_flows=0)
        view.add([tflow.tflow() for _ in range(5)])
        keeping.requestheaders(flows[-1])
        assert view.store_count() == 8

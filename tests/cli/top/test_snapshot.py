"""All of the screen for programs."""

import json

from accounts.model import Event
from accounts.states import AccountState, State
from accounts.views.account_list import rows
from accounts.views.live_turns import LiveTurn
from cli.top.facts import ProxyFacts, ShownFacts, ShownPool
from cli.top.snapshot import data
from tests.builders import NOW, candidate, key_of


def test_it_says_what_the_screen_shows() -> None:
    found = rows([candidate("ann")], {key_of("ann"): AccountState(State.READY)}, NOW)
    event = Event(at=NOW, kind="paused", key=key_of("ann"))
    facts = ShownFacts(
        pool=ShownPool(rows=found, homes={key_of("ann"): 3}, events=(event,)),
        proxies=ProxyFacts(urls=("http://127.0.0.1:1",), turns=(LiveTurn(id="1", began=NOW, account="ann"),)),
    )
    told = json.loads(json.dumps(data(facts, NOW)))
    (account,) = told["accounts"]
    assert (account["label"], account["state"], account["turns"], account["threads"]) == ("ann", "ready", 1, 3)
    assert told["turns"][0]["account"] == "ann"
    assert (told["history"][0]["kind"], told["history"][0]["account"]) == ("paused", "ann")
    assert told["usage"] is None

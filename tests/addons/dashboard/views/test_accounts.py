"""The accounts of a pool, few and many."""

from accounts.choice.selection import Candidate, Situation
from accounts.model import Event
from accounts.states import tell
from accounts.views.account_list import AccountRow
from addons.dashboard.views.accounts import ON_A_PAGE, AccountsSeen, account_view, accounts_view
from tests.builders import HOUR, NOW, account, rest, window


def row(name: str, number: int = 1, *, chosen: bool = False, **more: object) -> AccountRow:
    candidate = Candidate(
        account=account(name, **{k: v for k, v in more.items() if k != "cooldown"}),
        has_tokens=True,
        cooldown=more.get("cooldown"),
        windows=(window(40),),
    )  # type: ignore[arg-type]
    return AccountRow(
        number=number,
        account=candidate.account,
        told=tell(candidate, Situation(now=NOW)),
        windows=candidate.windows,
        last_used=NOW - HOUR,
        active=chosen,
        chosen=chosen,
    )


def seen(*rows: AccountRow, **more: object) -> AccountsSeen:
    return AccountsSeen(rows=rows, now=NOW, **more)  # type: ignore[arg-type]


def test_an_empty_pool_says_what_to_do() -> None:
    assert "codex-rotate login" in accounts_view(seen(), {})


def test_each_account_offers_what_can_be_done_with_it_now() -> None:
    text = accounts_view(
        seen(row("ann"), row("bob", enabled=False), row("cleo", cooldown=rest()), row("dan", chosen=True)), {}
    )
    for name, there in {"ann": "pause", "bob": "resume", "cleo": "clear", "dan": "auto"}.items():
        assert f'value="{there}:{account(name).handle}"' in text
    for name, not_there in {"ann": "clear", "bob": "pause", "cleo": "auto", "dan": "use"}.items():
        assert f'value="{not_there}:{account(name).handle}"' not in text


def test_who_lives_there_and_what_is_under_way() -> None:
    key = account("ann").key
    text = accounts_view(seen(row("ann"), in_flight={key: 3}, homes={key: 17}), {})
    assert 'data-name="In flight" class="num">3<' in text
    assert 'data-name="Threads" class="num">17<' in text


def test_a_thousand_accounts_come_a_page_at_a_time() -> None:
    many = seen(*(row(f"seat {number:04}", number, account_id=f"a-{number}") for number in range(1000)))
    first, last = accounts_view(many, {}), accounts_view(many, {"page": "10"})
    assert first.count("<tr data-key") == last.count("<tr data-key") == ON_A_PAGE
    assert "1000 accounts, page 1 of 10" in first
    assert "seat 0999" in last
    assert len(first) < 400_000
    assert accounts_view(many, {"page": "99"}).count("<tr data-key") == ON_A_PAGE
    found = accounts_view(many, {"q": "seat 0421"})
    assert found.count("<tr data-key") == 1


def test_that_some_of_it_is_from_memory_is_said() -> None:
    assert "locked" in accounts_view(seen(row("ann"), trouble="The file is locked."), {})


def test_one_account_with_its_history_and_its_forms() -> None:
    history = [
        Event(at=NOW, kind="priority_changed", key=account("ann").key, detail="0 to 7, by the owner, on the page")
    ]
    ann = row("ann", priority=7, tags=("team", "spare"), reserve_percent=20)
    text = account_view(ann, seen(ann), history, "a-csrf")
    assert "priority changed" in text
    assert "0 to 7, by the owner, on the page" in text
    assert text.count('value="a-csrf"') == 4
    for name, value in {"label": "ann", "priority": "7", "tags": "team spare", "reserve": "20"}.items():
        assert f'id="{name}" name="value" value="{value}"' in text
        assert f'<label for="{name}">' in text
    assert 'id="tags" name="value" value="team spare" required' not in text, "none is fine"

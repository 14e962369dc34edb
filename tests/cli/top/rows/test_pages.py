"""Pages of text."""

from accounts.store.store import Store
from accounts.views.choice import stored_choice
from cli.top.keys import KEYS
from cli.top.lines import Pen, text_of
from cli.top.rows.pages import choice_page, keys_page
from config.settings import Settings
from tests.builders import NOW, key_of

PEN = Pen(width=80, now=NOW)


def test_every_key_is_told_without_being_cut() -> None:
    text = "\n".join(text_of(line) for line in keys_page(PEN))
    assert "…" not in text
    assert all(each.about in text for each in KEYS)
    assert len(keys_page(PEN)) <= 20


def test_the_choice_is_told_with_each_accounts_reason(store: Store) -> None:
    store.update_account(key_of("cid"), enabled=False).result()
    text = "\n".join(text_of(line) for line in choice_page(stored_choice(store, Settings(), "", NOW), PEN))
    assert "A new thread would go to" in text
    assert "cannot serve: paused" in text
    assert "5h 40 %" in text
    assert "A running proxy also counts" in text

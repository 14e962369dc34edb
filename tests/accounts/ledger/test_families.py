"""Which threads belong together, and where each was last served."""

from accounts.ledger import families
from accounts.ledger.families import AccountsOfThreads, ThreadFamilies


def test_a_sub_agent_belongs_to_the_thread_at_the_top_of_its_chain() -> None:
    known = ThreadFamilies()
    assert known.root("top", "") == "top"
    assert known.root("child", "top") == "top"
    assert known.root("grandchild", "child") == "top"
    assert known.root("grandchild", "") == "top"


def test_a_circle_and_a_thread_that_names_itself_come_to_an_end() -> None:
    known = ThreadFamilies()
    assert known.root("a", "a") == "a"
    known.root("a", "b")
    assert known.root("b", "a") in {"a", "b"}


def test_what_is_known_is_bounded() -> None:
    known, accounts = ThreadFamilies(), AccountsOfThreads()
    for number in range(families.MOST_THREADS + 10):
        known.root(f"child-{number}", f"top-{number}")
        accounts.served(f"t-{number}", "a")
    assert len(known._parents) == len(accounts._last) == families.MOST_THREADS
    assert accounts.before("t-0") == ""
    assert accounts.before(f"t-{families.MOST_THREADS}") == "a"

"""The ledger of tokens."""

from standin.accounts import identity
from standin.replies import EXPIRED, INVALIDATED, NO_TOKEN, UNKNOWN_TOKEN, Reply
from standin.tokens import Grant, Ledger

OWNER = identity("acc-1", {"expires_in": 100.0})


def test_every_token_is_new() -> None:
    """Even those made in the same second."""
    ledger = Ledger()
    grants = [ledger.issue(OWNER, 1000.0) for _ in range(3)]
    assert len({grant.access for grant in grants} | {grant.refresh for grant in grants}) == 6


def test_refusals() -> None:
    """No token, nobody's token, an expired one, a dead one, a good one."""
    ledger = Ledger()
    grant = ledger.issue(OWNER, 1000.0)
    good = f"Bearer {grant.access}"
    assert ledger.refusal(None, 1000.0) is NO_TOKEN
    assert ledger.refusal("Bearer nobody's", 1000.0) is UNKNOWN_TOKEN
    assert ledger.refusal(f"Basic {grant.access}", 1000.0) is UNKNOWN_TOKEN
    assert ledger.refusal(good, 1099.9) is None
    assert ledger.refusal(good, 1100.0) is EXPIRED
    ledger.access[grant.access].revoked = True
    assert ledger.refusal(good, 1000.0) is INVALIDATED


def test_spending() -> None:
    """A refresh token gives a grant once."""
    ledger = Ledger()
    grant = ledger.issue(OWNER, 1000.0)
    assert isinstance(ledger.spend(grant.refresh, 1000.0), Grant)
    assert isinstance(ledger.spend(grant.refresh, 1000.0), Reply)
    assert ledger.reused == 1


def test_tokens_stay_out_of_repr() -> None:
    """What may end up in a test's output holds no token."""
    ledger = Ledger()
    grant = ledger.issue(OWNER, 1000.0)
    text = repr([grant, *ledger.access.values(), *ledger.refresh.values()])
    assert grant.access not in text
    assert grant.refresh not in text


def test_with_grace_a_used_refresh_token_gives_the_same_tokens_again_for_a_while() -> None:
    ledger = Ledger()
    first = ledger.issue(OWNER, 0.0)
    ledger.grace = 60.0
    given = ledger.spend(first.refresh, 10.0)
    assert isinstance(given, Grant)
    assert ledger.spend(first.refresh, 69.0) is given
    assert isinstance(ledger.spend(first.refresh, 70.0), Reply)
    assert (ledger.reused, ledger.refresh[first.refresh].sendings) == (1, 3)

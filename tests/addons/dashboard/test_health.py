"""What may be known without a token: alive or not, ready or not."""

import pytest

from accounts.model import Cooldown
from accounts.store.store import Store
from addons.dashboard.health import LOOK_SECONDS, Health, answer
from addons.startup import Startup
from tests.builders import NOW, Clock, key_of


def rest(startup: Startup, *names: str) -> None:
    """As another process stores it."""
    with Store(startup.opened().store.path) as other:
        for name in names:
            other.set_cooldown(key_of(name), Cooldown(until=NOW + 600, reason="usage_limit", since=NOW)).result()


def test_it_is_ready_while_somebody_could_serve(startup: Startup, clock: Clock) -> None:
    health = Health(startup)
    assert health.alive()
    assert health.ready()
    rest(startup, "a")
    clock.advance(LOOK_SECONDS)
    assert health.ready()
    rest(startup, "b")
    clock.advance(LOOK_SECONDS)
    assert not health.ready()
    assert health.alive()
    clock.advance(600)
    assert health.ready()


def test_an_answer_holds_for_a_moment(startup: Startup, clock: Clock) -> None:
    health = Health(startup)
    assert health.ready()
    rest(startup, "a", "b")
    assert health.ready()
    clock.advance(LOOK_SECONDS)
    assert not health.ready()


def test_without_a_pool_and_at_the_end_it_is_not(startup: Startup) -> None:
    assert not Health(Startup()).ready()
    leaving = [False]
    health = Health(startup, lambda: leaving[0])
    assert health.ready()
    leaving[0] = True
    assert not health.ready()
    assert health.alive()


@pytest.mark.parametrize(("well", "said"), [(True, (200, b"ok\n")), (False, (503, b"not ready\n"))])
def test_nothing_but_that_is_said(well: bool, said: tuple[int, bytes]) -> None:
    assert answer(well) == said

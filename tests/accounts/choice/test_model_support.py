"""Models that an account refuses or does not list are believed for a day."""

from accounts.choice.model_lists import MODEL_SECONDS
from accounts.choice.model_support import ModelSupport
from tests.builders import DAY, NOW


def test_a_refusal_is_believed_for_a_day() -> None:
    models = ModelSupport()
    assert models.is_empty
    assert models.refuse("a", "m", NOW) == NOW + MODEL_SECONDS == NOW + DAY
    assert models.refused(NOW + DAY - 1) == {"a": {"m"}}
    assert models.refused(NOW + DAY) == {}


def test_what_the_store_knows_does_not_shorten_what_was_just_learned() -> None:
    models = ModelSupport()
    until = models.refuse("a", "m", NOW)
    models.load({("a", "m"): until - 100, ("b", "n"): until})
    assert models.refused(until - 1) == {"a": {"m"}, "b": {"n"}}


def test_refusals_do_not_pile_up() -> None:
    models = ModelSupport()
    for number in range(100):
        models.refuse("a", f"m{number}", NOW + number * DAY)
    assert len(models._refused) == 1


def test_what_is_refused_or_listed_is_something() -> None:
    models = ModelSupport()
    models.lists.learned("a", [{"slug": "m"}], NOW)
    assert not models.is_empty

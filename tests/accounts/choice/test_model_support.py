"""Models that an account refuses or does not list are believed for a day."""

from accounts.choice.model_support import MODEL_SECONDS, ModelSupport
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


def test_an_empty_catalogue_says_nothing() -> None:
    models = ModelSupport()
    models.lists("a", frozenset(), NOW)
    assert models.listed(NOW) == {}
    models.lists("a", frozenset({"m"}), NOW)
    assert models.listed(NOW + DAY - 1) == {"a": {"m"}}
    assert models.listed(NOW + DAY) == {}

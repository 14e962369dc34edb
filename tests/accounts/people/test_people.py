"""What a person may use: models by globs; nothing said means everything."""

import pytest

from accounts.people.people import Person


@pytest.mark.parametrize(
    ("models", "model", "may"),
    [
        ((), "anything", True),
        ((), "", True),
        (("m-small*",), "m-small-2", True),
        (("m-small*",), "M-Small-2", True),
        (("m-small*",), "m-large", False),
        (("m-[ab]", "x"), "x", True),
        (("m-small*",), "", False),
    ],
)
def test_models_are_globs_and_one_that_is_not_named_is_not_among_some(
    models: tuple[str, ...], model: str, may: bool
) -> None:
    assert Person(name="ann", models=models).may_use(model) is may

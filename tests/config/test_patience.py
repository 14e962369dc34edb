"""What Windows refuses for a moment is tried again; every other refusal is final."""

import pytest

from config.patience import WAITS, patiently


class Held(PermissionError):
    """How Windows says that another process has the file open."""

    def __init__(self, winerror: int) -> None:
        super().__init__(13, "held")
        self.winerror = winerror


class Work:
    """Fails with each of the errors in turn, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    def __call__(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "done"


@pytest.mark.parametrize("winerror", [5, 32, 33])
def test_it_waits_longer_each_time(winerror: int) -> None:
    """Access denied and sharing or lock violations pass; nothing is waited for once it works."""
    waited: list[float] = []
    assert patiently(Work(Held(winerror), Held(winerror)), waited.append) == "done"
    assert waited == list(WAITS[:2])
    assert sorted(WAITS) == list(WAITS)


def test_without_a_refusal_it_never_waits() -> None:
    waited: list[float] = []
    assert patiently(Work(), waited.append) == "done"
    assert waited == []


def test_patience_ends() -> None:
    """The last refusal is raised."""
    waited: list[float] = []
    with pytest.raises(Held):
        patiently(Work(*(Held(32) for _ in range(len(WAITS) + 1))), waited.append)
    assert waited == list(WAITS)


@pytest.mark.parametrize("error", [PermissionError(13, "no"), FileNotFoundError(2, "gone"), Held(112)])
def test_other_refusals_are_final(error: OSError) -> None:
    """A mode of a POSIX file, a missing file, a full disk."""
    waited: list[float] = []
    with pytest.raises(type(error)):
        patiently(Work(error), waited.append)
    assert waited == []

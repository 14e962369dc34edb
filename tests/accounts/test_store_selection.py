"""What the store keeps for selection: quota windows, refused models, where threads live, and the decisions."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.model import Affinity, Event, masked
from accounts.store.store import AFFINITIES_KEPT, EVENTS_KEPT, Store
from tests.builders import DAY, HOUR, NOW, WEEK_MINUTES, account, credentials, key_of, planted, window

A, B = key_of("a"), key_of("b")
GONE = key_of("gone")
WEEK = window(30, DAY, minutes=WEEK_MINUTES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "pool.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path) as opened:
        for name in "ab":
            opened.put_account(account(name), credentials(name)).result()
        yield opened


# --- quota windows ---------------------------------------------------------------------------------------------------


def test_windows_come_back_as_they_were_by_account_family_and_length(store: Store, path: Path) -> None:
    images = window(7.5, None, family="images")
    store.set_windows(A, (images, WEEK, window(99.6)))
    store.set_windows(B, (window(1),)).result()
    expected = {A: (window(99.6), WEEK, images), B: (window(1),)}
    assert store.windows() == expected
    with Store(path) as again:
        assert again.windows() == expected


def test_windows_that_are_not_named_stay(store: Store) -> None:
    store.set_windows(A, (window(10), WEEK))
    store.set_windows(A, (window(20),)).result()
    assert store.windows() == {A: (window(20), WEEK)}


@pytest.mark.parametrize(("seen_at", "used"), [(NOW - 1, 10), (NOW, 20), (NOW + 1, 20)])
def test_what_somebody_else_saw_later_stays(store: Store, path: Path, seen_at: float, used: float) -> None:
    with Store(path) as other:
        other.set_windows(A, (window(10),)).result()
    store.set_windows(A, (window(20, None, seen_at=seen_at),)).result()
    (kept,) = store.windows()[A]
    assert (kept.used_percent, kept.resets_at is None) == (used, used == 20)


def test_nothing_is_kept_of_an_account_that_is_gone(store: Store) -> None:
    store.set_windows(GONE, (window(10),))
    store.refuse_model(GONE, "m", NOW + DAY, NOW)
    store.save_affinity(Affinity(thread="t", key=GONE, used_at=NOW)).result()
    assert (store.windows(), store.refused_models(), store.affinities(9)) == ({}, {}, ())


def test_an_account_takes_what_was_learned_of_it_along_when_it_goes(store: Store) -> None:
    for key in (A, B):
        store.set_windows(key, (window(10),))
        store.refuse_model(key, "m", NOW + DAY, NOW)
        store.save_affinity(Affinity(thread=key, key=key, used_at=NOW))
    store.remove_account(A).result()
    assert (store.windows().keys(), store.refused_models().keys()) == ({B}, {(B, "m")})
    assert [each.thread for each in store.affinities(9)] == [B]


# --- refused models --------------------------------------------------------------------------------------------------


def test_a_refused_model_comes_back_with_its_end(store: Store, path: Path) -> None:
    store.refuse_model(A, "m", NOW + DAY, NOW)
    store.refuse_model(A, "n", NOW + HOUR, NOW)
    store.refuse_model(B, "m", NOW + HOUR, NOW).result()
    expected = {(A, "m"): NOW + DAY, (A, "n"): NOW + HOUR, (B, "m"): NOW + HOUR}
    assert store.refused_models() == expected
    with Store(path) as again:
        assert again.refused_models() == expected


def test_the_last_refusal_counts(store: Store) -> None:
    store.refuse_model(A, "m", NOW + HOUR, NOW)
    store.refuse_model(A, "m", NOW + DAY, NOW).result()
    assert store.refused_models() == {(A, "m"): NOW + DAY}


@pytest.mark.parametrize(("now", "kept"), [(NOW + HOUR - 1, {"m", "n"}), (NOW + HOUR, {"n"})])
def test_refusals_that_are_over_go_with_the_next_one(store: Store, now: float, kept: set[str]) -> None:
    store.refuse_model(A, "m", NOW + HOUR, NOW)
    store.refuse_model(B, "n", now + DAY, now).result()
    assert {model for _, model in store.refused_models()} == kept


# --- threads ---------------------------------------------------------------------------------------------------------


def test_a_thread_comes_back_with_its_detour_and_its_owner(store: Store, path: Path) -> None:
    whole = Affinity(thread="t", key=A, used_at=NOW, detour=B, detoured_at=NOW - 9.5, owner=A)
    plain = Affinity(thread="u", key=B, used_at=NOW - 1)
    for each in (whole, plain):
        store.save_affinity(each).result()
    assert store.affinities(9) == (whole, plain)
    with Store(path) as again:
        assert again.affinities(9) == (whole, plain)


def test_a_detour_that_is_over_is_gone(store: Store) -> None:
    store.save_affinity(Affinity(thread="t", key=A, used_at=NOW, detour=B, detoured_at=NOW, owner=A))
    back = Affinity(thread="t", key=A, used_at=NOW + 1, owner=A)
    store.save_affinity(back).result()
    assert store.affinities(9) == (back,)


def test_threads_come_back_most_recent_first(store: Store) -> None:
    """A later use moves a thread; an older message that arrives late does not."""
    for thread, key, used in (("t1", A, 1), ("t2", A, 2), ("t1", B, 3), ("t1", A, 2)):
        store.save_affinity(Affinity(thread=thread, key=key, used_at=used))
    store.flush()
    assert store.affinities(9) == (Affinity(thread="t1", key=B, used_at=3), Affinity(thread="t2", key=A, used_at=2))
    assert len(store.affinities(1)) == 1


def test_as_many_threads_are_stored_as_are_remembered() -> None:
    assert AFFINITIES_KEPT == 10_000


# --- decisions -------------------------------------------------------------------------------------------------------


def event(number: int, detail: str = "") -> Event:
    return Event(at=NOW + number, kind="decision", key=A, thread=f"{number}", detail=detail)


def test_several_events_are_one_write_and_keep_their_order(store: Store, path: Path) -> None:
    with Store(path) as other:
        store.record(*(event(number) for number in range(5))).result()
        assert other.changed_by_others()
        assert other.events(3) == (event(4), event(3), event(2))
        assert not other.changed_by_others()


def test_recording_nothing_is_nothing(store: Store) -> None:
    store.record().result()
    assert store.events(9) == ()


def test_many_events_at_once_are_bounded_as_well(store: Store) -> None:
    store.record(*(event(number) for number in range(EVENTS_KEPT + 3))).result()
    kept = store.events(EVENTS_KEPT + 9)
    assert (len(kept), kept[0], kept[-1]) == (EVENTS_KEPT, event(EVENTS_KEPT + 2), event(3))


def test_tokens_are_masked_in_every_event(store: Store) -> None:
    secrets = sorted(planted(credentials(name) for name in "ab"))
    store.record(*(event(number, f'{{"detail": "sent {secret}!"}}') for number, secret in enumerate(secrets))).result()
    stored = [each.detail for each in reversed(store.events(9))]
    assert stored == [f'{{"detail": "sent {masked(secret)}!"}}' for secret in secrets]

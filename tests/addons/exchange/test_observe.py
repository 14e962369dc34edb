"""What upstream tells in passing becomes the pool's knowledge; what says nothing, or nonsense, changes nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mitmproxy import http

from accounts.choice.pool import Lease
from accounts.choice.selection import Ask
from accounts.store.store import Store
from addons.exchange import observe
from addons.exchange.service import PoolService
from addons.wire import events
from tests.builders import HOUR, NOW, Clock, account, credentials, key_of, lease_of

A = key_of("a")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[PoolService]:
    path = tmp_path / "home" / "pool.db"
    with Store(path) as store:
        store.put_account(account("a"), credentials("a", expires_at=NOW + HOUR)).result()
    opened = PoolService(path, Clock())
    yield opened
    opened.close()


@pytest.fixture
def lease(service: PoolService) -> Lease:
    return lease_of(service.pool, "a", thread="t")


def used(service: PoolService) -> dict[int, float]:
    """Percent used, by the length of the window in minutes."""
    return {window.minutes: window.used_percent for window in service.pool.candidates[A].windows}


def test_headers_tell_how_much_is_used(service: PoolService, lease: Lease) -> None:
    fields = {"X-Codex-Primary-Used-Percent": "41.5", "X-Codex-Primary-Window-Minutes": "300"}
    observe.from_head(service, lease, http.Response.make(200, b"", fields))
    assert used(service) == {300: 41.5}
    service.store.flush()
    assert [window.used_percent for window in service.store.windows()[A]] == [41.5]


def test_headers_without_that_change_nothing(service: PoolService, lease: Lease) -> None:
    observe.from_head(service, lease, http.Response.make(200, b"", {"content-type": "text/plain"}))
    assert used(service) == {}


def test_events_tell_how_much_is_used(service: PoolService, lease: Lease) -> None:
    limits = {
        "primary": {"used_percent": 12, "window_minutes": 300},
        "secondary": {"used_percent": 34, "window_minutes": 10080},
    }
    event = json.dumps({"type": events.RATE_LIMITS, "rate_limits": limits}).encode()
    observe.from_prelude(service, lease, "response.created", event)
    assert used(service) == {}
    observe.from_prelude(service, lease, events.RATE_LIMITS, event)
    assert used(service) == {300: 12, 10080: 34}


def test_a_compaction_ties_its_thread_to_the_account(service: PoolService, lease: Lease) -> None:
    item = {"type": "compaction", "id": "cmp_1", "encrypted_content": "x"}
    event = json.dumps({"type": events.ITEM_DONE, "item": item}).encode()
    observe.from_output(service, lease, "response.output_text.delta", event)
    assert service.pool.place("t", NOW).owner == ""
    observe.from_output(service, lease, events.ITEM_DONE, event)
    assert service.pool.place("t", NOW).owner == A


@pytest.mark.parametrize(
    ("body", "known"),
    [
        (b'{"models": [{"slug": "big"}, {"slug": "small"}]}', {"big", "small"}),
        (b'{"models": [{"slug": 5}, "x", {}]}', None),
        (b'{"models": []}', None),
        (b'{"models": {}}', None),
        (b"not json", None),
    ],
)
def test_a_catalogue_names_models(service: PoolService, lease: Lease, body: bytes, known: set[str] | None) -> None:
    observe.from_catalogue(service, lease, body)
    (assessment,) = service.pool.explain(Ask(model="another"), NOW).assessments
    assert assessment.candidate.lists == known


@given(
    st.binary(max_size=80),
    st.dictionaries(st.sampled_from(["x-codex-primary-used-percent", "x-a"]), st.text(max_size=9)),
)
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_upstream_says_raises(
    service: PoolService, lease: Lease, event: bytes, headers: dict[str, str]
) -> None:
    fields = tuple((name.encode(), value.encode()) for name, value in headers.items())
    observe.from_head(service, lease, http.Response.make(200, b"", fields))
    observe.from_prelude(service, lease, events.RATE_LIMITS, event)
    observe.from_output(service, lease, events.ITEM_DONE, event)
    observe.from_catalogue(service, lease, event)

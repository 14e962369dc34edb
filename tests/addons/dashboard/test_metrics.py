"""What Prometheus reads, read by its own parser; and that no label says too much, or too often something new."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from accounts.ledger.records import TokenCount, Transport, TurnKind, TurnOutcome, TurnRecord
from accounts.model import Credentials
from accounts.views.live_turns import LiveTurn
from addons.dashboard.exposition import text_of
from addons.dashboard.metric_families import FAMILIES
from addons.dashboard.metrics import AT_A_TIME, Metrics
from addons.options import ChosenOptions
from addons.startup import Startup
from tests.builders import NOW, account, credentials, key_of

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "how-to" / "metrics.md"
BOARD = ROOT / "docs" / "grafana-dashboard.json"
SERVED = TurnRecord(
    when=NOW,
    person="ann-nobody-may-see",
    client_key="key-nobody-may-see",
    account="a",
    account_key=key_of("a"),
    project="project-nobody-may-see",
    thread="thread-nobody-may-see",
    model="model-nobody-may-see",
    rotations=1,
    reasons=("usage_limit",),
    first_output=0.7,
    tokens=TokenCount(input=100, cached=60, output=20, reasoning=5),
    cold=40,
)

type Series = dict[tuple[str, ...], float]


def series(metrics: Metrics, name: str) -> Series:
    """By the values of the labels, in the order of their names."""
    found = {}
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        for sample in family.samples:
            if sample.name == name:
                labels = tuple(sample.labels[label] for label in sorted(sample.labels))
                assert labels not in found, "said twice"
                found[labels] = sample.value
    return found


@pytest.fixture
def metrics(startup: Startup) -> Metrics:
    return Metrics(startup)


def turn(number: int, **known: str) -> LiveTurn:
    return LiveTurn(id=str(number), began=NOW, **known)  # type: ignore[arg-type]


def test_ended_turns_are_counted_by_account_outcome_and_transport(metrics: Metrics) -> None:
    for _ in range(2):
        metrics.add(SERVED)
    metrics.add(SERVED._replace(outcome=TurnOutcome.CUT_SHORT, transport=Transport.WEBSOCKET))
    metrics.add(SERVED._replace(account="", account_key="", outcome=TurnOutcome.REFUSED, first_output=None))
    assert series(metrics, "codex_rotate_turns_total") == {
        ("a", "served", "http"): 2,
        ("a", "cut_short", "websocket"): 1,
        ("", "refused", "http"): 1,
    }
    assert series(metrics, "codex_rotate_rotations_total") == {("a", "usage_limit"): 3, ("", "usage_limit"): 1}


def test_many_turns_are_all_counted(metrics: Metrics) -> None:
    for _ in range(2 * AT_A_TIME + 1):
        metrics.add(SERVED)
    assert series(metrics, "codex_rotate_turns_total") == {("a", "served", "http"): 2 * AT_A_TIME + 1}


def test_what_is_over_and_not_told_yet_is_counted_too(metrics: Metrics) -> None:
    behind = [SERVED, SERVED]
    metrics.news = lambda: [metrics.add(behind.pop()) for _ in tuple(behind)]
    assert series(metrics, "codex_rotate_turns_total") == {("a", "served", "http"): 2}


def test_each_rotation_has_its_reason(metrics: Metrics) -> None:
    metrics.add(SERVED._replace(rotations=3, reasons=("moved", "stalled", "stalled")))
    metrics.add(SERVED._replace(rotations=0, reasons=()))
    assert series(metrics, "codex_rotate_rotations_total") == {("a", "moved"): 1, ("a", "stalled"): 2}


def test_tokens_add_up_to_what_turns_have_taken(metrics: Metrics) -> None:
    metrics.add(SERVED)
    found = series(metrics, "codex_rotate_tokens_total")
    assert found == {("a", "input"): 40, ("a", "cached_input"): 60, ("a", "output"): 15, ("a", "reasoning"): 5}
    assert sum(found.values()) == SERVED.tokens.total
    assert series(metrics, "codex_rotate_cold_tokens_total") == {("a",): 40}


def test_a_warm_up_is_no_turn_and_takes_tokens(metrics: Metrics) -> None:
    metrics.add(SERVED._replace(kind=TurnKind.WARM_UP))
    assert series(metrics, "codex_rotate_turns_total") == {}
    assert series(metrics, "codex_rotate_tokens_total")["a", "input"] == 40


def test_first_outputs_are_a_histogram(metrics: Metrics) -> None:
    for seconds in (0.1, 0.7, 1000.0):
        metrics.add(SERVED._replace(first_output=seconds))
    buckets = series(metrics, "codex_rotate_first_output_seconds_bucket")
    assert (buckets["0.1", "http"], buckets["0.5", "http"], buckets["1.0", "http"]) == (1, 1, 2)
    assert (buckets["300.0", "http"], buckets["+Inf", "http"], buckets["+Inf", "websocket"]) == (2, 3, 0)
    assert series(metrics, "codex_rotate_first_output_seconds_count")["http",] == 3
    assert series(metrics, "codex_rotate_first_output_seconds_sum")["http",] == pytest.approx(1000.8)


def test_windows_are_as_they_are_now(metrics: Metrics) -> None:
    assert series(metrics, "codex_rotate_window_used_ratio") == {("a", "codex", "5h"): 0.25, ("a", "codex", "7d"): 0}
    assert series(metrics, "codex_rotate_window_reset_timestamp_seconds") == {("a", "codex", "5h"): NOW + 900}


def test_accounts_are_counted_by_state_with_those_of_none(metrics: Metrics) -> None:
    found = series(metrics, "codex_rotate_accounts")
    assert (found["ready",], found["paused",]) == (2, 0)


def test_what_is_under_way_is_told_of_every_account(startup: Startup) -> None:
    live = [turn(1, account="a"), turn(2, account="a"), turn(3), turn(4, account="gone")]
    assert series(Metrics(startup, lambda: live), "codex_rotate_turns_in_flight") == {
        ("a",): 2,
        ("b",): 0,
        ("",): 1,
        ("removed",): 1,
    }


def test_renewals_are_counted(startup: Startup, metrics: Metrics) -> None:
    startup.opened().renewals.outcomes[key_of("b"), "renewed"] += 3
    assert series(metrics, "codex_rotate_refreshes_total") == {("b", "renewed"): 3}


async def test_a_renewal_that_fails_is_one(startup: Startup, metrics: Metrics) -> None:
    service = startup.opened()
    await service.renewals.renew_patiently(key_of("a"), service.pool.tokens[key_of("a")], "test")
    assert series(metrics, "codex_rotate_refreshes_total") == {("a", "failed"): 1}


async def test_another_thread_writes_what_was_so_at_one_moment(metrics: Metrics) -> None:
    metrics.add(SERVED)
    snapshot = metrics.snapshot()
    metrics.add(SERVED)
    said = await asyncio.to_thread(text_of, snapshot)
    assert 'codex_rotate_rotations_total{account="a",reason="usage_limit"} 1.0' in said.decode()


# --- labels ----------------------------------------------------------------------------------------------------------


def test_what_is_not_in_the_pool_has_one_name(metrics: Metrics) -> None:
    """However many accounts have come and gone."""
    for number in range(50):
        metrics.add(SERVED._replace(account=f"x{number}", account_key=key_of(f"x{number}")))
        metrics.add(SERVED._replace(account=f"y{number}", account_key=""))
    assert series(metrics, "codex_rotate_turns_total") == {("removed", "served", "http"): 100}


def test_an_account_whose_key_is_not_told_is_known_by_its_label(metrics: Metrics) -> None:
    metrics.add(SERVED._replace(account_key=""))
    assert series(metrics, "codex_rotate_rotations_total") == {("a", "usage_limit"): 1}


def test_what_goes_by_one_name_is_one_series(startup: Startup, metrics: Metrics) -> None:
    """Labels differ, but somebody may have chosen a word of ours."""
    startup.opened().store.update_account(key_of("a"), label="removed").result()
    startup.opened().reload()
    metrics.add(SERVED)
    metrics.add(SERVED._replace(account_key=key_of("x")))
    assert series(metrics, "codex_rotate_turns_total") == {("removed", "served", "http"): 2}


def test_a_name_that_is_an_address_is_not_told(startup: Startup, metrics: Metrics) -> None:
    startup.opened().store.update_account(key_of("b"), label="bob@example.com").result()
    startup.opened().reload()
    metrics.add(SERVED._replace(account="bob@example.com", account_key=key_of("b")))
    assert series(metrics, "codex_rotate_rotations_total") == {("seat-2", "usage_limit"): 1}


def test_anonymous_accounts_keep_their_numbers(startup: Startup) -> None:
    startup.chosen = ChosenOptions(rotate_metrics_anonymous=True)
    metrics = Metrics(startup, lambda: [turn(1, account="b")])
    metrics.add(SERVED)
    assert series(metrics, "codex_rotate_rotations_total") == {("seat-1", "usage_limit"): 1}
    assert series(metrics, "codex_rotate_turns_in_flight") == {("seat-1",): 0, ("seat-2",): 1}
    startup.opened().store.remove_account(key_of("a")).result()
    startup.opened().store.put_account(account("c"), credentials("c")).result()
    startup.opened().reload()
    assert set(series(metrics, "codex_rotate_turns_in_flight")) == {("seat-2",), ("seat-3",)}


def test_a_label_may_hold_anything(startup: Startup, metrics: Metrics) -> None:
    wild = 'a"b\\c\n{}=, ü'
    startup.opened().store.update_account(key_of("a"), label=wild).result()
    startup.opened().reload()
    metrics.add(SERVED)
    assert series(metrics, "codex_rotate_rotations_total") == {(wild, "usage_limit"): 1}


def test_nothing_secret_and_nothing_of_a_conversation_is_in_it(startup: Startup) -> None:
    live = [
        turn(1, account="a", person="ann-nobody-may-see", thread="thread-nobody-may-see", project="p-nobody-may-see")
    ]
    metrics = Metrics(startup, lambda: live)
    metrics.add(SERVED)
    metrics.add(SERVED._replace(account="x-nobody-may-see", account_key=""))
    said = metrics.exposition().decode()
    tokens: Iterable[Credentials] = startup.opened().pool.tokens.values()
    planted = [secret for each in tokens for secret in (each.access, each.refresh)]
    assert not [secret for secret in (*planted, "nobody-may-see", "example.com", "acct-", "user-") if secret in said]


# --- the format ------------------------------------------------------------------------------------------------------


def test_names_follow_the_conventions(metrics: Metrics) -> None:
    metrics.add(SERVED)
    found = {each.name: each for each in text_string_to_metric_families(metrics.exposition().decode())}
    for family in FAMILIES:
        told = found[family.name.removesuffix("_total")] if family.kind == "counter" else found[family.name]
        assert (told.type, told.documentation) == (family.kind, family.meaning)
        assert re.fullmatch(r"codex_rotate_[a-z_]+", family.name)
        assert family.name.endswith("_total") == (family.kind == "counter")
        for sample in told.samples:
            assert set(sample.labels) - {"le"} == set(family.labels)
    assert {name for name in found if not name.startswith("process_")} == {
        family.name.removesuffix("_total") for family in FAMILIES
    }


def test_without_a_pool_there_is_still_an_answer() -> None:
    metrics = Metrics(Startup())
    metrics.add(SERVED._replace(account_key=""))
    assert series(metrics, "codex_rotate_turns_total") == {("", "served", "http"): 1}
    assert len(series(metrics, "codex_rotate_build_info")) == 1


def test_the_library_is_loaded_for_who_asks_only() -> None:
    told = "import sys; import addons.chain; print('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


# --- the documents ---------------------------------------------------------------------------------------------------


def test_the_page_has_every_metric_and_no_other() -> None:
    rows = re.findall(r"^\| `(codex_rotate_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert rows == [
        (each.name, each.kind, ", ".join(f"`{label}`" for label in each.labels), each.meaning) for each in FAMILIES
    ]


def test_the_grafana_dashboard_asks_for_metrics_and_labels_that_there_are() -> None:
    board = json.loads(BOARD.read_text("utf-8"))
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    assert asked
    endings = {"histogram": ("_bucket", "_sum", "_count")}
    known = {each.name + ending: each for each in FAMILIES for ending in endings.get(each.kind, ("",))}
    used = set()
    for expression in asked:
        names = re.findall(r"\b(codex_rotate_\w+)", expression)
        assert names, expression
        assert set(names) <= known.keys(), expression
        used |= {known[name].name for name in names}
        labels = {label for name in names for label in known[name].labels} | {"le", "instance", "job"}
        grouped = [part for each in re.findall(r"\bby \(([^)]*)\)", expression) for part in re.split(r",\s*", each)]
        filtered = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression)
        assert {*grouped, *filtered} <= labels, expression
    assert used == {each.name for each in FAMILIES}

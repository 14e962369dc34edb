"""What the real proxy counts of real turns, as a script beside ours reads it."""

from collections.abc import Callable
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from standin import FaultKind
from tests.harness import eventually
from tests.proxy.clients import Http2, Socket, http1, turn1
from tests.proxy.conftest import Bench

SCRIPTS = [Path(__file__).with_name("metrics_file.py")]


def text(bench: Bench) -> str:
    file = bench.folder / "rotate" / "metrics.txt"
    return file.read_text("utf-8") if file.exists() else ""


def counted(bench: Bench, name: str, **labels: str) -> float:
    """The sum of the series that have these labels."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(text(bench))
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def becomes(value: Callable[[], float], expected: float) -> bool:
    return eventually(lambda: value() == expected)


def test_turns_are_counted_with_their_rotations_over_each_transport(bench: Bench) -> None:
    """A test's accounts are its own, but for a turn over HTTP that comes before each test."""
    first, second = (each.account_id for each in bench.accounts)
    with Socket(bench.proxy, bench.headers()) as socket:
        assert socket.turn().completed
        bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=3600)
        assert socket.turn().completed
    with http1(bench.proxy) as client:
        assert turn1(client, bench.headers()).completed
    assert becomes(lambda: counted(bench, "codex_rotate_turns_total", account=first, transport="websocket"), 1)
    assert becomes(lambda: counted(bench, "codex_rotate_turns_total", account=second, transport="websocket"), 1)
    assert eventually(lambda: counted(bench, "codex_rotate_turns_total", account=second, transport="http") > 0)
    assert counted(bench, "codex_rotate_turns_total", account=second, outcome="failed") == 0
    assert counted(bench, "codex_rotate_rotations_total", account=second, reason="usage_limit") == 1
    assert counted(bench, "codex_rotate_cold_tokens_total", account=second) > 0
    assert counted(bench, "codex_rotate_first_output_seconds_count", transport="websocket") >= 2


def test_tokens_are_those_that_upstream_has_counted(bench: Bench) -> None:
    with http1(bench.proxy) as client:
        assert turn1(client, bench.headers()).completed
    usages = [each.usage for seen in bench.upstream.requests for each in seen.attempts if each.usage]
    taken = sum(usage["input_tokens"] + usage["output_tokens"] for usage in usages)
    assert taken > 0
    assert becomes(lambda: counted(bench, "codex_rotate_tokens_total"), taken)


def test_a_turn_that_nobody_could_serve_is_refused(bench: Bench) -> None:
    before = counted(bench, "codex_rotate_turns_total", outcome="refused")
    for account in bench.accounts:
        bench.fault(account, FaultKind.USAGE_LIMIT, resets_in=3600)
    with http1(bench.proxy) as client:
        assert not turn1(client, bench.headers()).completed
    assert becomes(lambda: counted(bench, "codex_rotate_turns_total", outcome="refused"), before + 1)
    assert becomes(lambda: counted(bench, "codex_rotate_accounts", state="resting"), 2)


def test_what_is_under_way_is_told_until_it_is_over(bench: Bench) -> None:
    bench.fault(bench.first, FaultKind.STALL, times=1, after_output=True)

    def in_flight() -> float:
        return counted(bench, "codex_rotate_turns_in_flight", account=bench.first.account_id)

    with Http2(bench.proxy) as client:
        number = client.ask(bench.headers())
        client.until(number, lambda seen: b"response.output_text.delta" in seen.body)
        assert becomes(in_flight, 1)
        bench.upstream.release()
        assert client.answer(number).completed
    assert becomes(in_flight, 0)


def test_a_renewal_is_counted(bench: Bench) -> None:
    bench.fault(bench.first, FaultKind.UNAUTHORIZED_EXPIRED, times=1)
    with http1(bench.proxy) as client:
        assert turn1(client, bench.headers()).completed
    account = bench.first.account_id
    assert becomes(lambda: counted(bench, "codex_rotate_refreshes_total", account=account, outcome="renewed"), 1)


def test_nothing_of_a_token_or_a_conversation_is_in_it(bench: Bench) -> None:
    with http1(bench.proxy) as client:
        got = turn1(client, bench.headers())
    assert got.completed
    assert eventually(lambda: counted(bench, "codex_rotate_turns_total", account=bench.first.account_id) > 0)
    said = text(bench)
    secrets = [bench.home.access_token, bench.thread, got.text, *(each.access_token for each in bench.accounts)]
    assert not [each for each in secrets if each in said]
    assert "@" not in said

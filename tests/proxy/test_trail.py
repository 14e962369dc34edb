"""What a saved flow shows of the attempts made for it; nothing in it opens an account."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from mitmproxy import http
from mitmproxy.io import FlowReader

from standin import ANY_ACCOUNT, Fault, FaultKind, Pace
from tests.harness import eventually, options, secrets_of
from tests.proxy.clients import ASK, RESPONSES, Got, Http2, Socket, http1, turn1, turn_ws
from tests.proxy.conftest import Bench, open_bench

LIMIT = Fault(FaultKind.USAGE_LIMIT, resets_in=7200)


@pytest.fixture(scope="module")
def saving(tmp_path_factory: pytest.TempPathFactory, confdir: Path) -> Iterator[tuple[Bench, Path]]:
    folder = tmp_path_factory.mktemp("saving")
    file = folder / "saved.flow"
    yield from (
        (bench, file) for bench in open_bench(folder, confdir, [*options(rotate_head_timeout=1), "-w", str(file)])
    )


@pytest.fixture
def bench(saving: tuple[Bench, Path]) -> Bench:
    saving[0].start_test()
    return saving[0]


@pytest.fixture
def file(saving: tuple[Bench, Path]) -> Path:
    return saving[1]


def turn(bench: Bench, version: str) -> Got:
    if version == "ws":
        return turn_ws(bench.proxy, bench.headers())
    if version == "http2":
        with Http2(bench.proxy) as client:
            return client.turn(bench.headers())
    with http1(bench.proxy) as client:
        return turn1(client, bench.headers())


def flows(file: Path, bench: Bench, number: int = 1) -> list[http.HTTPFlow]:
    """This test's flows, as somebody else reads them from the file."""

    def read() -> list[http.HTTPFlow]:
        with file.open("rb") as saved:
            found = list(FlowReader(saved).stream())
        return [each for each in found if isinstance(each, http.HTTPFlow) and mine(each)]

    def mine(flow: http.HTTPFlow) -> bool:
        return flow.request.headers.get("thread-id") == bench.thread and flow.request.path == RESPONSES

    assert eventually(lambda: len(read()) >= number)
    return read()


@pytest.mark.parametrize("version", ["http1", "http2"])
def test_a_rotation_is_a_sentence_and_a_marker(bench: Bench, file: Path, version: str) -> None:
    """With the answer that the client never saw."""
    one, other = bench.first.account_id, bench.second.account_id
    bench.upstream.fault(one, LIMIT)
    assert turn(bench, version).completed
    (flow,) = flows(file, bench)
    assert re.fullmatch(rf"{one} 429 usage limit until [\w: ]+ → {other} 200, \d+\.\d s, 1 rotation", flow.comment), (
        flow.comment
    )
    assert flow.marked == ":twisted_rightwards_arrows:"
    failed, served = flow.metadata["codex_rotate.attempts"]
    assert (failed["account"], failed["status"], failed["kind"]) == (one, 429, "usage_limit")
    assert "usage_limit_reached" in failed["body"]
    assert ["content-type", "application/json"] in failed["headers"]
    assert (served["account"], served["status"], served["kind"], "body" in served) == (other, 200, "ok", False)
    assert flow.metadata["codex_rotate.thread"] == bench.thread
    assert flow.metadata["codex_rotate.done"] == "delivered"


def test_a_turn_without_trouble_has_no_marker(bench: Bench, file: Path) -> None:
    assert turn(bench, "http1").completed
    (flow,) = flows(file, bench)
    assert re.fullmatch(rf"{bench.first.account_id} 200, \d+\.\d s", flow.comment)
    assert flow.marked == ""


@pytest.mark.parametrize("version", ["http1", "http2"])
def test_nor_has_one_whose_client_hangs_up_at_the_last_event(bench: Bench, file: Path, version: str) -> None:
    """As the official client does: nobody who looks at the flow sees anything wrong with it."""
    bench.upstream.pace(ANY_ACCOUNT, Pace(late_end=600))
    if version == "http2":
        with Http2(bench.proxy) as client:
            asked = client.ask(bench.headers())
            client.until(asked, lambda seen: b"response.completed" in seen.body)
            client.cancel(asked)
    else:
        with (
            http1(bench.proxy) as client,
            client.stream("POST", RESPONSES, headers=bench.headers(), content=ASK) as answer,
        ):
            assert any("response.completed" in line for line in answer.iter_lines())
    (flow,) = flows(file, bench)
    assert re.fullmatch(rf"{bench.first.account_id} 200, \d+\.\d s", flow.comment)
    assert (flow.marked, flow.error) == ("", None)
    assert flow.metadata["codex_rotate.done"] == "delivered"
    assert [each["kind"] for each in flow.metadata["codex_rotate.attempts"]] == ["ok"]
    assert flow.response is not None
    assert flow.response.content is not None
    assert b"response.completed" in flow.response.content


def test_a_client_that_leaves_on_the_way_is_an_error_of_its_flow(bench: Bench, file: Path) -> None:
    bench.upstream.pace(ANY_ACCOUNT, Pace(between_words=600))
    with http1(bench.proxy) as client, client.stream("POST", RESPONSES, headers=bench.headers(), content=ASK) as answer:
        assert any("output_text.delta" in line for line in answer.iter_lines())
    (flow,) = flows(file, bench)
    assert flow.error is not None
    assert flow.marked == ":no_entry:"


def test_nobody_left(bench: Bench, file: Path) -> None:
    for account in bench.accounts:
        bench.upstream.fault(account.account_id, LIMIT)
    assert turn(bench, "http1").status == 429
    (flow,) = flows(file, bench)
    assert flow.comment.count("usage limit until") == 2
    assert flow.marked == ":no_entry:"


def test_nobody_who_could_be_asked(bench: Bench, file: Path) -> None:
    """Everybody rests: the flow says of each account why it was not asked."""
    for account in bench.accounts:
        bench.upstream.fault(account.account_id, LIMIT)
    assert [turn(bench, "http1").status for _ in range(2)] == [429, 429]
    _, flow = flows(file, bench, 2)
    assert re.fullmatch(r"nobody left, \d+\.\d s", flow.comment)
    assert flow.marked == ":no_entry:"
    assert set(flow.metadata["codex_rotate.nobody"]) >= {account.account_id for account in bench.accounts}


def test_a_limit_inside_a_stream_and_a_reset(bench: Bench, file: Path) -> None:
    """No answer has no status."""
    bench.fault(bench.first, FaultKind.RESET)
    assert turn(bench, "http1").completed
    (flow,) = flows(file, bench)
    assert flow.comment.startswith(f"{bench.first.account_id} reset → {bench.second.account_id} 200")


def test_the_turns_of_a_socket(bench: Bench, file: Path) -> None:
    with Socket(bench.proxy, bench.headers()) as client:
        assert client.turn().completed
        assert client.turn().completed
    (flow,) = flows(file, bench)
    assert re.fullmatch(
        rf"{bench.first.account_id} 101, \d+\.\d s \| 2 turns, the last: delivered, \d+\.\d s", flow.comment
    ), flow.comment
    assert [each["done"] for each in flow.metadata["codex_rotate.turns"]] == ["delivered"] * 2


def test_a_socket_whose_account_is_spent(bench: Bench, file: Path) -> None:
    bench.upstream.fault(bench.first.account_id, Fault(FaultKind.USAGE_LIMIT, resets_in=7200, in_band=True))
    assert turn(bench, "ws").completed
    (flow,) = flows(file, bench)
    first, second = bench.first.account_id, bench.second.account_id
    assert re.fullmatch(rf"{first} 101, \d\.\d s \| {first} usage limit → {second}, delivered, \d\.\d s", flow.comment)
    assert flow.marked == ":twisted_rightwards_arrows:"


def test_no_token_is_in_a_saved_flow(bench: Bench, file: Path) -> None:
    bench.fault(bench.first, FaultKind.UNAUTHORIZED_INVALIDATED)
    assert turn(bench, "http1").completed
    assert turn(bench, "ws").completed
    flows(file, bench, 2)
    saved = file.read_bytes()
    for secret in secrets_of([*bench.accounts, bench.home]):
        assert secret.encode() not in saved


def test_what_streamed_past_is_kept(bench: Bench, file: Path) -> None:
    """Byte for byte as the client got it, but for the account's id, which the stand-in names."""
    got = turn(bench, "http1")
    (flow,) = flows(file, bench)
    assert flow.response is not None
    named = bench.first.account_id.encode()
    assert named in got.body
    assert flow.response.content == bytes(got.body).replace(named, b"[account id]")
    assert "codex_rotate.captured" not in flow.metadata

"""What `why`, `status` and `debug bundle` say of a real proxy is what it does."""

import json
from typing import Any

import pytest

from accounts.history import decisions
from cli.commands.see.status import StatusContext, status
from cli.commands.see.why import told, why
from cli.report.facts import lines_of, made
from cli.running import proxies
from cli.ui.result import Result
from config import clock
from config.settings import Settings
from standin import FaultKind
from tests.harness import eventually, secrets_of
from tests.proxy.clients import http1, turn1
from tests.proxy.conftest import Bench


def data(result: Result) -> dict[str, Any]:
    return json.loads(json.dumps(result.data, allow_nan=False))  # type: ignore[no-any-return]


def chosen(bench: Bench, thread: str = "") -> str | None:
    """Whom `why` names."""
    return data(why(bench.store, Settings(), thread, clock.now()))["choice"]["account"]  # type: ignore[no-any-return]


def environ(bench: Bench) -> dict[str, str]:
    home = bench.proxy.home
    return {"CODEX_ROTATE_HOME": str(home), "CODEX_HOME": str(home.parent / "client"), "PATH": ""}


def turn(bench: Bench, **headers: str) -> str:
    with http1(bench.proxy) as client:
        return turn1(client, bench.headers(**headers)).text


def test_a_new_thread_goes_where_it_said(bench: Bench) -> None:
    first, second = (account.account_id for account in bench.accounts)
    assert chosen(bench) == first
    assert turn(bench) == bench.first.answer
    bench.store.update_account(bench.keys[first], enabled=False).result()
    assert chosen(bench) == second
    assert turn(bench, thread_id="another") == bench.second.answer
    bench.store.update_account(bench.keys[first], enabled=True).result()
    bench.store.choose_account(bench.keys[second]).result()
    try:
        assert chosen(bench) == second
        assert turn(bench, thread_id="a third") == bench.second.answer
    finally:
        bench.store.choose_account("").result()


def test_a_thread_that_was_led_away_is_told_with_every_attempt(bench: Bench) -> None:
    first, second = (account.account_id for account in bench.accounts)
    bench.fault(bench.first, FaultKind.USAGE_LIMIT)
    assert turn(bench) == bench.second.answer
    bench.settle()
    assert eventually(bench.decisions)
    assert chosen(bench, bench.thread) == second
    candidates = {each["account"]: each for each in data(why(bench.store, Settings(), "", clock.now()))["candidates"]}
    assert candidates[first]["barred"]["by"] == "resting"
    mine = [each for each in decisions(bench.store.events(99)) if each.thread == bench.thread]
    (request,) = data(told(mine, clock.now(), 0))["requests"]
    went = [(each["account"], each["outcome"]) for each in request["attempts"]]
    assert went == [(first, "usage_limit"), (second, "ok")]


def test_the_proxy_and_what_it_did_are_in_status(bench: Bench) -> None:
    turn(bench)
    assert eventually(bench.decisions)
    around = StatusContext(settings=Settings(), home=bench.proxy.home, running=proxies.running(environ(bench)))
    found = data(status(bench.store, around, clock.now()))
    assert [each["pid"] for each in found["proxies"]] == [bench.proxy.process.pid]
    assert found["requests"]["served"] >= 1
    assert found["decisions"][0]["thread"] == bench.thread


@pytest.mark.parametrize("kind", [FaultKind.USAGE_LIMIT, FaultKind.UNAUTHORIZED_EXPIRED, FaultKind.RESET])
def test_no_report_of_it_holds_a_token_or_a_name(bench: Bench, kind: FaultKind) -> None:
    bench.fault(bench.first, kind)
    turn(bench)
    assert eventually(bench.decisions)
    report = made(environ(bench), clock.now())
    said = json.dumps(report.data, ensure_ascii=False) + lines_of(report.events)
    report.sweep.check("the report", said)
    ids = {each.account_id for each in bench.accounts} | {bench.thread}
    assert not [each for each in secrets_of(bench.accounts) if each in said]
    assert not [each for each in ids if f'"{each}"' in said]
    assert "former-account-1" in said  # of the tests before: their accounts are gone

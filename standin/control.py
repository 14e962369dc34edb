"""Control from another process: JSON over the plain listener, below `/_standin/`."""

import asyncio
import dataclasses
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from standin.accounts import AccountDetails
from standin.faults import Fault, FaultKind, Point
from standin.faults.cases import CASES
from standin.pace import Pace
from standin.records import Incoming, SeenRequest
from standin.replies import NOT_FOUND, Reply, error_reply, json_reply
from standin.state import ANY_ACCOUNT, State

PREFIX = "/_standin/"

type Asked = dict[str, Any]


def answer(state: State, request: Incoming) -> Reply:
    """Do what a control request asks. Must be called in the event loop."""
    work = _WORK.get((request.method, request.route.removeprefix(PREFIX)))
    if work is None:
        return NOT_FOUND
    try:
        asked = json.loads(request.raw_body or b"{}")
        return json_reply(work(state, asked))
    except (KeyError, TypeError, ValueError) as error:
        return error_reply(400, "bad_control_request", f"{type(error).__name__}: {error}")


def _fault(state: State, asked: Asked) -> Asked:
    """A kind with its details, or a case by its name."""
    who, times, lasting = asked.get("account", ANY_ACCOUNT), asked.get("times"), asked.get("lasting")
    details = {key: value for key, value in asked.items() if key not in {"account", "kind", "times", "lasting", "case"}}
    if "at" in details:
        details["at"] = Point[details["at"].upper()]
    fault = replace(CASES[asked["case"]], **details) if "case" in asked else Fault(FaultKind(asked["kind"]), **details)
    state.set_fault(who, fault, times, lasting)
    return {}


def _lists(state: State, asked: Asked) -> Asked:
    for account in state.find(asked["account"]):
        state.catalogues[account.identity.key] = tuple(asked["models"])
    return {}


def _clear(state: State, asked: Asked) -> Asked:
    state.clear(asked.get("account"))
    return {}


def _pace(state: State, asked: Asked) -> Asked:
    who = asked.pop("account", ANY_ACCOUNT)
    state.set_pace(who, Pace.of(asked))
    return {}


def _account(state: State, asked: Asked) -> Asked:
    details = {key: value for key, value in asked.items() if key in AccountDetails.__annotations__}
    account = state.add_account(asked["account_id"], AccountDetails(**details))  # type: ignore[typeddict-item]
    if "answer" in asked:
        account.answer = asked["answer"]
    return account.auth_json()


def _release(state: State, _asked: Asked) -> Asked:
    state.release(asyncio.get_running_loop())
    return {}


def _expire(state: State, asked: Asked) -> Asked:
    for account in state.find(asked["account"]):
        account.expire()
    return {}


def _revoke(state: State, asked: Asked) -> Asked:
    for account in state.find(asked["account"]):
        account.revoke()
    return {}


def _login_as(state: State, asked: Asked) -> Asked:
    state.logins.who = asked["account"]
    return {}


def _approve_device(state: State, asked: Asked) -> Asked:
    state.logins.device = asked["account"]
    return {}


def _requests(state: State, _asked: Asked) -> list[Asked]:
    with state.changed:
        return [_shown(record.snapshot()) for record in state.records]


def _shown(seen: SeenRequest) -> Asked:
    """A request without its tokens: the account they belong to says what a test needs to know."""
    hidden = {"authorization", "cookie"}
    shown = {field.name: getattr(seen, field.name) for field in dataclasses.fields(seen)}
    shown["headers"] = [pair for pair in seen.headers if pair[0] not in hidden]
    shown["attempts"] = [attempt.shown() for attempt in seen.attempts]
    shown["body"] = "" if seen.path.startswith("/oauth/") else seen.body.decode("utf-8", "replace")
    del shown["authorization"]
    return shown


_WORK: dict[tuple[str, str], Callable[[State, Asked], object]] = {
    ("POST", "fault"): _fault,
    ("POST", "clear"): _clear,
    ("POST", "lists"): _lists,
    ("POST", "pace"): _pace,
    ("POST", "account"): _account,
    ("POST", "release"): _release,
    ("POST", "expire"): _expire,
    ("POST", "revoke"): _revoke,
    ("POST", "login_as"): _login_as,
    ("POST", "approve_device"): _approve_device,
    ("GET", "requests"): _requests,
}

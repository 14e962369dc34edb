"""The two tables: what is seen in an answer, and what follows from it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.choice.outcomes import (
    RULES,
    SIGNS,
    Action,
    Blame,
    Kind,
    Outcome,
    Reply,
    Rest,
    Sign,
    classify,
    classify_failure,
    error_of,
)
from tests.builders import NOW, credentials, planted
from tests.rows import all_rows

DELIVER = Action.DELIVER
NOBODY, REQUEST, UPSTREAM = Blame.NOBODY, Blame.REQUEST, Blame.UPSTREAM

SEEN: list[tuple[Kind, int, dict[str, str], dict[str, Any]]] = [
    (Kind.OK, 200, {}, {}),
    (Kind.OK, 101, {}, {}),
    (Kind.OK, 302, {}, {}),
    (Kind.USAGE_LIMIT, 429, {}, {"type": "usage_limit_reached"}),
    (Kind.USAGE_LIMIT, 404, {}, {"type": "usage_limit_reached"}),
    (Kind.USAGE_LIMIT, 0, {}, {"code": "usage_limit_reached"}),
    (Kind.NO_CREDIT, 429, {}, {"code": "insufficient_quota"}),
    (Kind.NO_CREDIT, 429, {}, {"code": "credit_balance_exhausted"}),
    (Kind.NO_CREDIT, 429, {}, {"type": "usage_not_included"}),
    (Kind.BURST_LIMIT, 429, {}, {"code": "rate_limit_exceeded"}),
    (Kind.BURST_LIMIT, 0, {}, {"code": "slow_down"}),
    (Kind.BURST_LIMIT, 429, {}, {}),
    (Kind.OVERLOADED, 0, {}, {"code": "server_is_overloaded"}),
    (Kind.OVERLOADED, 500, {}, {"type": "overloaded_error"}),
    (Kind.OVERLOADED, 503, {}, {}),
    (Kind.OVERLOADED, 529, {}, {}),
    (Kind.PAYMENT_REQUIRED, 402, {}, {}),
    (Kind.PAYMENT_REQUIRED, 402, {"content-type": "text/html"}, {}),
    (Kind.DEACTIVATED, 402, {}, {"code": "deactivated_workspace"}),
    (Kind.DEACTIVATED, 403, {}, {"code": "workspace_deactivated"}),
    (Kind.DEACTIVATED, 401, {}, {"code": "account_deactivated"}),
    (Kind.TOKEN_INVALIDATED, 401, {}, {"code": "token_invalidated"}),
    (Kind.TOKEN_INVALIDATED, 401, {}, {"code": "token_revoked"}),
    (Kind.TOKEN_EXPIRED, 401, {}, {"code": "token_expired"}),
    (Kind.TOKEN_EXPIRED, 401, {}, {"type": "invalid_request_error"}),
    (Kind.TOKEN_EXPIRED, 401, {"content-type": "text/html"}, {}),
    (Kind.CHALLENGE, 403, {"cf-mitigated": "challenge"}, {}),
    (Kind.CHALLENGE, 403, {"content-type": "text/html; charset=UTF-8"}, {}),
    (Kind.FORBIDDEN, 403, {"content-type": "application/json"}, {}),
    (Kind.FORBIDDEN, 403, {}, {"code": "token_revoked"}),
    (Kind.INVALID_SEALED, 400, {}, {"code": "invalid_encrypted_content"}),
    (Kind.INVALID_SEALED, 0, {}, {"code": "invalid_encrypted_content", "type": "invalid_request_error"}),
    (Kind.UNKNOWN_RESPONSE, 400, {}, {"code": "previous_response_not_found"}),
    (Kind.UNSUPPORTED_MODEL, 400, {}, {"code": "model_not_supported"}),
    (Kind.UNSUPPORTED_MODEL, 400, {}, {"type": "unsupported_model"}),
    (Kind.UNSUPPORTED_MODEL, 400, {}, {"message": "The 'x' model is not supported when using Codex with ChatGPT."}),
    (Kind.UNSUPPORTED_MODEL, 404, {}, {"message": "This model is not available."}),
    (Kind.UNSUPPORTED_MODEL, 404, {}, {"message": "Model not found gpt-6"}),
    (Kind.UNSUPPORTED_MODEL, 404, {}, {"code": "model_not_found", "type": "invalid_request_error"}),
    (Kind.UNSUPPORTED_MODEL, 0, {}, {"code": "account_model_unsupported"}),
    (Kind.REQUEST_FAULT, 400, {}, {"message": "a parameter of the model is not supported", "code": "bad_parameter"}),
    *(
        (Kind.UNSUPPORTED_MODEL, status, {}, {"type": "invalid_request_error", "message": message})
        for message in (
            *("Unknown model: gpt-6", "The model gpt-6 is no longer available.", "The 'x' model requires a Pro plan."),
            *("Project p does not have access to model x", "This model isn't available", "Unsupported model x"),
        )
        for status in (0, 400, 404)
    ),
    *(
        (Kind.UNSUPPORTED_MODEL, status, {}, {"type": "invalid_request_error", "code": code})
        for code in ("invalid_model", "model_unavailable", "MODEL_NOT_FOUND", "modelNotFound", "unsupported-model")
        for status in (0, 400, 403, 404)
    ),
    (Kind.UNSUPPORTED_MODEL, 400, {}, {"type": "invalid_request_error", "param": "model", "message": "No."}),
    (Kind.REQUEST_FAULT, 400, {}, {"type": "invalid_request_error", "param": "input[0]"}),
    (Kind.REQUEST_FAULT, 400, {}, {"code": "unsupported_parameter_of_the_model"}),
    (Kind.REQUEST_FAULT, 0, {}, {"type": "invalid_request_error", "code": "never_heard_of"}),
    *(
        (Kind.UNEXPLAINED, 400, {}, error)
        for error in (
            *({"type": "invalid_request_error"}, {"type": "error", "code": None}, {"code": "bad_request"}),
            *({"code": "account_suspended"}, {"code": "workspace_not_found"}, {"code": "PLAN_NOT_ELIGIBLE"}),
        )
    ),
    (Kind.UNEXPLAINED, 0, {}, {"type": "invalid_request_error", "message": "Your account has been deactivated."}),
    (Kind.USAGE_LIMIT, 429, {}, {"type": "USAGE_LIMIT_REACHED"}),
    (Kind.USAGE_LIMIT, 0, {}, {"code": "usageLimitExceeded"}),
    (Kind.USAGE_LIMIT, 400, {}, {"type": " Usage-Limit-Reached "}),
    (Kind.NO_CREDIT, 400, {}, {"code": "quota_exceeded"}),
    (Kind.OVERLOADED, 400, {}, {"code": "model_at_capacity"}),
    (Kind.OVERLOADED, 0, {}, {"code": "overloaded"}),
    (Kind.BURST_LIMIT, 0, {}, {"code": "rate_limited"}),
    (Kind.BURST_LIMIT, 429, {}, {"message": "The model is not available now: too many requests."}),
    (Kind.CHALLENGE, 403, {"content-type": "Text/HTML"}, {}),
    (Kind.OVERLOADED, 503, {}, {"code": "model_unavailable"}),
    (Kind.BURST_LIMIT, 429, {}, {"code": "model_unavailable"}),
    (Kind.OVERLOADED, 503, {}, {"param": "model"}),
    (Kind.OVERLOADED, 503, {"cf-mitigated": "challenge"}, {}),
    (Kind.FORBIDDEN, 403, {}, {"code": "account_suspended"}),
    (Kind.FORBIDDEN, 403, {}, {"type": "invalid_request_error"}),
    (Kind.SERVER_ERROR, 500, {}, {"type": "invalid_request_error", "code": "never_heard_of", "param": "input"}),
    (Kind.SERVER_ERROR, 500, {}, {"type": "invalid_request_error", "param": "input"}),
    (Kind.SERVER_ERROR, 999, {}, {}),
    (Kind.REQUEST_FAULT, 422, {}, {"code": "never_heard_of"}),
    (Kind.UNEXPLAINED, 400, {}, {}),
    *((Kind.UNEXPLAINED, status, {}, {}) for status in (404, 408, 409, 413, 421, 425, 431, 451)),
    (Kind.UNEXPLAINED, 404, {"content-type": "text/html"}, {}),
    (Kind.UNEXPLAINED, 413, {}, {"code": "never_heard_of"}),
    *((Kind.TOKEN_EXPIRED, status, {}, {"code": "token_expired"}) for status in (0, 400, 403)),
    *((Kind.TOKEN_EXPIRED, status, {}, {"type": "invalid_token"}) for status in (0, 400, 401)),
    *(
        (Kind.UNEXPLAINED, 400, {}, {"code": code})
        for code in ("token_revoked", "unauthorized", "session_ended", "credentials_rejected", "login_required")
    ),
    (Kind.REQUEST_FAULT, 400, {}, {"code": "max_output_tokens_exceeded"}),
    (Kind.REQUEST_FAULT, 0, {}, {"code": "context_length_exceeded"}),
    (Kind.REQUEST_FAULT, 0, {}, {"code": "invalid_prompt"}),
    (Kind.REQUEST_FAULT, 0, {}, {"code": "cyber_policy"}),
    (Kind.REQUEST_FAULT, 0, {}, {"code": "bio_policy"}),
    (Kind.REQUEST_FAULT, 0, {}, {"code": "flex_unavailable"}),
    (Kind.REQUEST_FAULT, 400, {}, {"type": "invalid_request_error", "code": "websocket_connection_limit_reached"}),
    (Kind.UPGRADE_REFUSED, 426, {}, {}),
    (Kind.SERVER_ERROR, 500, {}, {}),
    (Kind.SERVER_ERROR, 599, {}, {}),
    (Kind.SERVER_ERROR, 0, {}, {"code": "server_error"}),
    (Kind.SERVER_ERROR, 0, {}, {"type": "internal_server_error"}),
    (Kind.FAILED_IN_STREAM, 0, {}, {}),
    (Kind.FAILED_IN_STREAM, 0, {}, {"code": "never_heard_of"}),
]

PRIVATE = {Kind.TOKEN_EXPIRED, Kind.TOKEN_INVALIDATED, Kind.REFRESH_FAILED, Kind.DEACTIVATED}
"""What the client must not see of a managed account."""

CAUSED_BY_US = {
    Kind.UPGRADED,
    Kind.HEAD_TIMEOUT,
    Kind.CONNECT_FAILED,
    Kind.PROXY_FAILED,
    Kind.NO_DESCRIPTORS,
    Kind.RESET,
    Kind.STALLED,
    Kind.TRUNCATED,
    Kind.FAILED_AFTER_OUTPUT,
    Kind.REFRESH_FAILED,
    Kind.CLIENT_GONE,
    Kind.REFUSED_ALONE,
    Kind.NO_ANSWER,
    Kind.STALE,
    Kind.SOCKET_CLOSED,
    Kind.TOO_LARGE,
}
"""What no answer says by itself: the proxy saw it happen, or saw when."""

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(["type", "code", "message", "resets_at", "resets_in_seconds", "plan_type", "other"])
WINDOW = ("x-codex-primary-used-percent", "x-codex-primary-reset-at")
HEADERS = st.sampled_from(["retry-after", "retry-after-ms", "content-type", "cf-mitigated", *WINDOW])
WORDS = st.sampled_from(sorted({word for sign in SIGNS for word in sign.words}))
SPOKEN = st.from_regex(r"\Atry again in [0-9.]{1,6} ?(days?|ms|d|h|m|s)[a-z0-9 ]{0,9}\Z", fullmatch=True)


def test_every_kind_has_exactly_one_rule() -> None:
    assert set(RULES) == set(Kind)


def test_what_the_client_must_not_see_is_what_is_about_an_accounts_credentials() -> None:
    assert {kind for kind in Kind if RULES[kind].private} == PRIVATE


@all_rows("kind", Kind)
def test_a_rest_has_a_length_and_is_never_joined_by_a_change_of_standing(kind: Kind) -> None:
    rule = RULES[kind]
    assert (rule.rest is Rest.NONE) == (rule.seconds == 0)
    assert rule.rest is Rest.NONE or rule.standing is None


@all_rows("kind", Kind)
def test_out_of_service_is_who_rests_firmly_or_needs_help(kind: Kind) -> None:
    out = {Kind.USAGE_LIMIT, Kind.NO_CREDIT, Kind.TOKEN_INVALIDATED, Kind.DEACTIVATED}
    assert RULES[kind].bars == (kind in out)


@all_rows("kind", [kind for kind in Kind if RULES[kind].blame in {NOBODY, REQUEST}])
def test_what_is_not_the_accounts_trouble_costs_it_nothing(kind: Kind) -> None:
    assert (RULES[kind].rest, RULES[kind].standing, RULES[kind].private) == (Rest.NONE, None, False)


@all_rows("kind", [kind for kind in Kind if RULES[kind].blame is UPSTREAM])
def test_upstreams_own_trouble_takes_no_account_out_of_service(kind: Kind) -> None:
    assert not RULES[kind].bars


@all_rows("kind", [kind for kind in Kind if RULES[kind].action is DELIVER])
def test_a_refusal_that_the_client_gets_to_see_costs_the_account_nothing(kind: Kind) -> None:
    """Unless the client has seen the beginning of an answer: then there is nothing else to be done."""
    assert RULES[kind].rest is (Rest.SOFT if kind is Kind.FAILED_AFTER_OUTPUT else Rest.NONE)
    assert RULES[kind].standing is None


@all_rows(("kind", "status", "headers", "error"), SEEN)
def test_what_an_answer_means(kind: Kind, status: int, headers: dict[str, str], error: dict[str, Any]) -> None:
    assert classify(Reply(status=status, headers=headers, error=error), NOW).kind is kind


def test_every_kind_an_answer_can_mean_is_in_the_table() -> None:
    assert {kind for kind, *_ in SEEN} == set(Kind) - CAUSED_BY_US


def example_of(sign: Sign) -> list[Reply]:
    """Answers that show nothing but this sign: one per word and status, with the message its text asks for."""
    headers = {sign.header: "x"} if sign.header else {}
    if sign.content_type:
        headers["content-type"] = sign.content_type
    error = {"message": "model is not supported"} if sign.text else {}
    if sign.param:
        error["param"] = "model" if sign.param.pattern == "model" else "input"
    if sign.coded and sign.words:
        error["type"] = "never_heard_of"
    alike = [word for word in ("model_denied", "account_denied") if sign.like and sign.like.fullmatch(word)]
    return [
        Reply(status=status, headers=headers, error={**error, **({"code": word} if word else {})})
        for status in sorted(sign.statuses) or [0]
        for word in sorted(sign.words) or alike or ["never_heard_of" if sign.coded else ""]
    ]


@all_rows("sign", SIGNS, ids=lambda sign: f"{SIGNS.index(sign)}-{sign.kind}")
def test_every_sign_can_be_the_first_one_seen(sign: Sign) -> None:
    assert any(next(s for s in SIGNS if s.seen_in(reply)) is sign for reply in example_of(sign))


@all_rows("sign", [s for s in SIGNS if s.words], ids=lambda sign: f"{SIGNS.index(sign)}-{sign.kind}")
def test_every_word_of_a_sign_leads_to_its_kind(sign: Sign) -> None:
    assert {classify(reply, NOW).kind for reply in example_of(sign)} == {sign.kind}


@all_rows("sign", [s for s in SIGNS if s.words], ids=lambda sign: f"{SIGNS.index(sign)}-{sign.kind}")
def test_type_and_code_are_read_alike(sign: Sign) -> None:
    for reply in example_of(sign):
        swapped = {**reply.error, "type": reply.error["code"], "code": reply.error.get("type")}
        assert classify(Reply(status=reply.status, error=swapped), NOW).kind is sign.kind


def test_no_sign_means_something_the_proxy_sees_for_itself() -> None:
    assert not CAUSED_BY_US & {sign.kind for sign in SIGNS}


@all_rows("status", [0, 200, 400, 401, 402, 403, 404, 409, 422, 426, 429, 500, 502, 503, 504, 529, 599])
def test_a_usage_limit_is_one_whatever_its_status(status: int) -> None:
    assert classify(Reply(status=status, error={"type": "usage_limit_reached"}), NOW).kind is Kind.USAGE_LIMIT


@pytest.mark.parametrize(("status", "kind"), [(503, Kind.OVERLOADED), (500, Kind.SERVER_ERROR)])
def test_upstreams_own_trouble_with_a_model_is_no_refusal_of_it(status: int, kind: Kind) -> None:
    """A refusal is believed for a day, and of every account that is asked."""
    reply = Reply(status=status, error={"message": "This model is not available right now. Please try again."})
    assert classify(reply, NOW).kind is kind


@all_rows("status", [*range(400, 601), 999])
def test_no_refusal_passes_for_a_success(status: int) -> None:
    assert classify(Reply(status=status), NOW).kind is not Kind.OK


@all_rows("kind", [kind for kind in Kind if kind not in CAUSED_BY_US])
def test_a_time_to_try_again_belongs_to_a_rest(kind: Kind) -> None:
    """A `retry-after` on an answer that rests nobody is the client's to read."""
    _, status, headers, error = next(row for row in SEEN if row[0] is kind)
    outcome = classify(Reply(status=status, headers={**headers, "retry-after": "77"}, error=error), NOW)
    assert outcome.until == (NOW + 77 if RULES[kind].rest is not Rest.NONE else None)


@all_rows(("plan", "kept"), [("plus", "plus"), (None, ""), (7, ""), (["plus"], "")])
def test_the_plan_is_taken_over_when_it_is_a_text(plan: object, kept: str) -> None:
    assert classify(Reply(status=429, error={"type": "usage_limit_reached", "plan_type": plan}), NOW).plan == kept


@all_rows(
    ("reply", "detail"),
    [
        (Reply(status=429, error={"type": "b", "code": "a"}), "429 a b"),
        (Reply(status=500), "500"),
        (Reply(status=0, error={"code": "server_error"}), "server_error"),
        (Reply(status=0), ""),
    ],
)
def test_the_detail_is_the_status_and_the_words(reply: Reply, detail: str) -> None:
    assert classify(reply, NOW).detail == detail


def test_neither_message_nor_headers_nor_other_fields_reach_the_detail() -> None:
    secrets = planted([credentials(id_token="id-nobody-may-see")])
    text = " ".join(secrets)
    reply = Reply(status=401, headers={"www-authenticate": text, text: text}, error={"message": text, "param": text})
    outcome = classify(reply, NOW)
    assert not [secret for secret in secrets if secret in repr(outcome)]


@pytest.mark.parametrize("field", ["type", "code"])
def test_a_token_that_upstream_echoes_as_a_code_does_not_reach_the_detail(field: str) -> None:
    secret = credentials().access
    for said in (f"bad token {secret}", secret, secret.title()):
        assert secret.lower() not in classify(Reply(status=401, error={field: said}), NOW).detail.lower()


@given(
    status=st.integers() | st.integers(400, 599),
    headers=st.dictionaries(HEADERS | st.text(max_size=20), st.text(max_size=40), max_size=5),
    body=ANYTHING | st.fixed_dictionaries({"error": st.dictionaries(NAMES, ANYTHING | SPOKEN | WORDS, max_size=6)}),
    now=st.floats(0, 4e9),
    after_output=st.booleans(),
)
def test_whatever_comes_means_something(
    status: int, headers: dict[str, str], body: object, now: float, after_output: bool
) -> None:
    """Nothing raises, no time is in the past, and an event that says that something failed is never a success."""
    reply = Reply(status=status, headers=headers, error=error_of(body))
    outcome, failure = classify(reply, now), classify_failure(reply, now, after_output=after_output)
    assert failure.kind is not Kind.OK
    for each in (outcome, failure):
        assert each.until is None or each.until > now
        assert isinstance(each.plan, str)


@pytest.mark.parametrize("unit", ["\u017f", "m\u017f", "day\u017f"])
def test_a_unit_in_another_script_is_no_reason_to_raise(unit: str) -> None:
    """Without regard to case, a long s is an s to Unicode."""
    assert classify(Reply(status=429, error={"message": f"Please try again in 5{unit}."}), NOW).kind is Kind.BURST_LIMIT


# --- events -----------------------------------------------------------------------------------------------------------


@all_rows("status", [0, 101, 200, 204, 302])
def test_an_event_that_says_it_failed_is_a_failure_whatever_status_it_names(status: int) -> None:
    outcome = classify_failure(Reply(status=status), NOW)
    assert outcome.kind is Kind.FAILED_IN_STREAM


@all_rows(
    ("error", "before", "after"),
    [
        ({}, Kind.FAILED_IN_STREAM, Kind.FAILED_AFTER_OUTPUT),
        ({"code": "never_heard_of"}, Kind.FAILED_IN_STREAM, Kind.FAILED_AFTER_OUTPUT),
        ({"code": "usage_limit_reached"}, Kind.USAGE_LIMIT, Kind.USAGE_LIMIT),
        ({"code": "insufficient_quota"}, Kind.NO_CREDIT, Kind.NO_CREDIT),
        ({"code": "server_is_overloaded"}, Kind.OVERLOADED, Kind.OVERLOADED),
        ({"code": "context_length_exceeded"}, Kind.REQUEST_FAULT, Kind.REQUEST_FAULT),
        ({"code": "invalid_encrypted_content"}, Kind.INVALID_SEALED, Kind.INVALID_SEALED),
    ],
)
def test_output_changes_only_the_meaning_of_a_failure_without_a_name(
    error: dict[str, str], before: Kind, after: Kind
) -> None:
    """An account at its limit is at its limit, however late it says so."""
    reply = Reply(status=200, error=error)
    assert classify_failure(reply, NOW).kind is before
    assert classify_failure(reply, NOW, after_output=True).kind is after


def test_an_event_brings_its_time_plan_and_words_with_it() -> None:
    error = {"type": "usage_limit_reached", "plan_type": "plus", "resets_in_seconds": 77}
    expected = Outcome(kind=Kind.USAGE_LIMIT, until=NOW + 77, plan="plus", detail="429 usage_limit_reached")
    for after_output in (False, True):
        assert classify_failure(Reply(status=429, error=error), NOW, after_output=after_output) == expected


@given(ANYTHING)
def test_error_of_never_raises(payload: object) -> None:
    assert isinstance(error_of(payload), dict)


@pytest.mark.parametrize("word", ["token_invalidated", "token_revoked"])
def test_a_sign_out_in_a_stream_needs_no_status(word: str) -> None:
    """There an event names none; its type would make it the request's fault."""
    said = Reply(status=0, error={"type": "invalid_request_error", "code": word})
    assert classify_failure(said, NOW, after_output=True).kind is Kind.TOKEN_INVALIDATED

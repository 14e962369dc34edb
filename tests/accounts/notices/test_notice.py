"""What is sent, and its signature."""

import hashlib
import hmac
import json

from accounts.notices.conditions import Condition, ConditionName
from accounts.notices.notice import LONGEST_TEXT, as_body, notice, sample, signature
from accounts.notices.occurrences import Occurrence
from config.notify import NoticeKind
from tests.builders import NOW


def test_a_notice_says_what_since_when_and_about_whom() -> None:
    condition = Condition(name=ConditionName(NoticeKind.LOGIN_NEEDED, "x"), text="work: needs login.", account="work")
    told = Occurrence(condition=condition, since=NOW)
    assert json.loads(as_body(notice(told))) == {
        "product": "codex-rotate",
        "id": told.id,
        "event": "login_needed",
        "since": NOW,
        "text": "work: needs login.",
        "account": "work",
        "person": None,
        "percent": None,
        "until": None,
        "test": False,
    }


def test_a_text_without_end_is_cut() -> None:
    condition = Condition(name=ConditionName(NoticeKind.POOL_DRY), text="x" * 99_999)
    assert len(notice(Occurrence(condition=condition, since=NOW))["text"]) == LONGEST_TEXT


def test_the_signature_is_over_the_time_and_the_body() -> None:
    expected = hmac.new(b"key", b"1800000000." + b"{}", hashlib.sha256).hexdigest()
    assert signature(b"key", "1800000000", b"{}") == f"v1={expected}"
    assert signature(b"key", "1800000001", b"{}") != f"v1={expected}"


def test_there_is_a_sample_of_every_kind() -> None:
    assert {sample(kind, NOW).name.kind for kind in NoticeKind} == set(NoticeKind)
    assert all(sample(kind, NOW).condition.text.startswith("A test: ") for kind in NoticeKind)

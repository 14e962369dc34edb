"""Who is let in, and to what."""

import httpx
import pytest

from standin import Account, Fault, FaultKind, StandIn
from tests.standin.clients import QUICK, RESPONSES, credentials


@pytest.mark.parametrize(
    ("authorization", "code"), [(None, "missing_token"), ("Bearer made-up", "invalid_jwt"), ("Basic x", "invalid_jwt")]
)
@pytest.mark.parametrize("path", [RESPONSES, "/backend-api/wham/usage"])
def test_without_a_good_token(http: httpx.Client, path: str, authorization: str | None, code: str) -> None:
    """401 with a code, on every path of the backend."""
    headers = {"authorization": authorization} if authorization else {}
    answer = http.post(path, headers=headers, json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)


def test_token_and_account_id_must_agree(
    upstream: StandIn, account: Account, other: Account, http: httpx.Client
) -> None:
    """A token sent with another account's id is a mix-up and gets 403."""
    mixed = credentials(account) | {"chatgpt-account-id": other.account_id}
    answer = http.post(RESPONSES, headers=mixed, json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "account_mismatch")
    del mixed["chatgpt-account-id"]
    assert http.post(RESPONSES, headers=mixed, json={}).status_code == 200


def test_faults_on_other_paths(upstream: StandIn, account: Account, http: httpx.Client) -> None:
    """A fault may be for one path; without one it leaves everything but generation alone."""
    models = "/backend-api/codex/models"
    upstream.fault("acc-1", Fault(FaultKind.SERVER_ERROR))
    assert http.get(models, headers=credentials(account)).status_code == 200
    upstream.fault("acc-1", Fault(FaultKind.SERVER_ERROR, path=models))
    assert http.get(models, headers=credentials(account)).status_code == 500
    upstream.clear()
    assert http.get(models, headers=credentials(account)).status_code == 200


def test_a_plain_answer_cut_in_half(upstream: StandIn, account: Account, http: httpx.Client) -> None:
    """TRUNCATED ends the body early but properly, EMPTY before its first byte; STALL holds its second half."""
    usage = "/backend-api/wham/usage"
    whole = http.get(usage, headers=credentials(account)).content
    upstream.fault("acc-1", Fault(FaultKind.TRUNCATED, path=usage), times=1)
    assert http.get(usage, headers=credentials(account)).content == whole[: len(whole) // 2]
    upstream.fault("acc-1", Fault(FaultKind.EMPTY, path=usage), times=1)
    assert http.get(usage, headers=credentials(account)).content == b""
    upstream.fault("acc-1", Fault(FaultKind.STALL, path=usage), times=1)
    with http.stream("GET", usage, headers=credentials(account)) as answer:
        upstream.release()
        assert len(answer.read()) == len(whole)


def test_the_same_paths_on_the_plain_listener(upstream: StandIn, account: Account) -> None:
    """For clients that are given a base URL instead of a proxy."""
    answer = httpx.post(f"{upstream.base_url}/codex/responses", headers=credentials(account), json={}, **QUICK)
    assert answer.status_code == 200

"""The model endpoint: sealed content, turn state, previous responses."""

from typing import Any

import httpx
import pytest

from standin import Account, StandIn
from tests.standin.clients import RESPONSES, credentials, sse_events


def ask(http: httpx.Client, account: Account, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
    return http.post(RESPONSES, headers=credentials(account) | (headers or {}), json={"input": []} | body)


def items(answer: httpx.Response) -> list[dict[str, Any]]:
    return [event["item"] for event in sse_events(answer.text) if event["type"] == "response.output_item.done"]


def test_sealed_reasoning(upstream: StandIn, account: Account, other: Account, http: httpx.Client) -> None:
    """A reasoning item opens with its own account only; an unknown blob with none."""
    upstream.seal_reasoning = True
    reasoning, message = items(ask(http, account))
    assert (reasoning["type"], message["type"]) == ("reasoning", "message")
    assert ask(http, account, input=[reasoning]).status_code == 200
    for blame, refused in (
        ("did not match", ask(http, other, input=[reasoning])),
        ("could not be decrypted", ask(http, account, input=[reasoning | {"encrypted_content": "gAAAAnobody's"}])),
    ):
        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (400, "invalid_encrypted_content")
        assert blame in error["message"]


def test_nothing_is_sealed_by_default(account: Account, http: httpx.Client) -> None:
    """Without the switch there is no reasoning item, and what is sent is not looked at."""
    assert [item["type"] for item in items(ask(http, account))] == ["message"]
    assert ask(http, account, input=[{"type": "reasoning", "encrypted_content": "x"}]).status_code == 200


def test_compaction(upstream: StandIn, account: Account, other: Account, http: httpx.Client) -> None:
    """A compaction trigger gets one sealed compaction item, which belongs to the account as well."""
    [item] = items(ask(http, account, input=[{"type": "compaction_trigger"}]))
    assert item["type"] == "compaction"
    assert item["id"].startswith("cmp_")
    upstream.seal_reasoning = True
    assert ask(http, account, input=[item]).status_code == 200
    refused = ask(http, other, input=[item])
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_encrypted_content")
    assert "did not match" in refused.json()["error"]["message"]


def test_a_compaction_of_sealed_reasoning(
    upstream: StandIn, account: Account, other: Account, http: httpx.Client
) -> None:
    """A trigger does not open what another account sealed; only a trigger that comes last counts."""
    upstream.seal_reasoning = True
    trigger = {"type": "compaction_trigger"}
    reasoning, message = items(ask(http, account))
    [compaction] = items(ask(http, account, input=[reasoning, message, trigger]))
    assert compaction["type"] == "compaction"
    assert ask(http, other, input=[reasoning, message, trigger]).status_code == 400
    assert [item["type"] for item in items(ask(http, account, input=[trigger, compaction]))] == ["reasoning", "message"]


def test_turn_state(account: Account, other: Account, http: httpx.Client) -> None:
    """An account's own state is kept through a turn; another account's is replaced."""
    mine = ask(http, account).headers["x-codex-turn-state"]
    assert mine.startswith("state-acc-1-")
    assert ask(http, account, {"x-codex-turn-state": mine}).headers["x-codex-turn-state"] == mine
    assert ask(http, other, {"x-codex-turn-state": mine}).headers["x-codex-turn-state"].startswith("state-acc-2-")


def test_previous_response_id_over_http(account: Account, http: httpx.Client) -> None:
    """Nothing is stored, so nothing previous is found."""
    first = sse_events(ask(http, account).text)[-1]["response"]["id"]
    answer = ask(http, account, previous_response_id=first)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "previous_response_not_found")


@pytest.mark.parametrize("content", [b"", b"not json", b"[]"])
def test_no_json(account: Account, http: httpx.Client, content: bytes) -> None:
    """A body that is no JSON object gets 400."""
    assert http.post(RESPONSES, headers=credentials(account), content=content).status_code == 400


def test_headers(account: Account, http: httpx.Client) -> None:
    """What every answer carries."""
    headers = ask(http, account).headers
    assert headers["x-request-id"].startswith("req_")
    assert [cookie.partition("=")[0] for cookie in headers.get_list("set-cookie")] == ["_cfuvid", "__cflb", "__cf_bm"]
    assert headers["x-codex-secondary-window-minutes"] == "10080"


def test_whose_cookies_come_with_whose_token(
    upstream: StandIn, account: Account, other: Account, http: httpx.Client
) -> None:
    """A client with one jar sends what was set for another account; it is written down."""
    cookies = [cookie.partition(";")[0] for cookie in ask(http, account).headers.get_list("set-cookie")]
    sent = {"cookie": "; ".join([*cookies, "mine=1"])}
    http.cookies.clear()
    ask(http, account, sent)
    ask(http, other, sent)
    own, foreign = upstream.requests[-2:]
    assert own.cookies.keys() == {"_cfuvid", "__cflb", "__cf_bm", "mine"}
    assert own.foreign_cookies == ()
    assert foreign.foreign_cookies == ("_cfuvid", "__cflb", "__cf_bm")

"""Lists of models that differ from account to account."""

import httpx

from standin import Account, StandIn
from tests.standin.clients import RESPONSES, credentials

MODELS = "/backend-api/codex/models"


def slugs(http: httpx.Client, account: Account) -> list[str]:
    return [model["slug"] for model in http.get(MODELS, headers=credentials(account)).json()["models"]]


def test_each_account_lists_its_own(upstream: StandIn, account: Account, other: Account, http: httpx.Client) -> None:
    """With a tag that is the list's, and that answers of the account name too."""
    upstream.lists("acc-1", "gpt-5", "gpt-6")
    assert slugs(http, account) == ["gpt-5", "gpt-6"]
    assert slugs(http, other) == []
    tag = http.get(MODELS, headers=credentials(account)).headers["etag"]
    answer = http.post(RESPONSES, headers=credentials(account), json={"input": []})
    assert answer.headers["x-models-etag"] == tag
    upstream.lists("acc-1", "gpt-5")
    assert http.get(MODELS, headers=credentials(account)).headers["etag"] != tag

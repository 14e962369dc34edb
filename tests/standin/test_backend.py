"""What the client asks beside model answers."""

import httpx
import pytest

from standin import Account, StandIn, Window
from standin.backend import USAGE_ANSWERS
from tests.standin.clients import credentials

CHECK = "/backend-api/wham/accounts/check"


def test_accounts_check(upstream: StandIn, account: Account, http: httpx.Client) -> None:
    """One entry: the account of the token, with what was said of its routing."""
    [entry] = http.get(CHECK, headers=credentials(account)).json()["accounts"]
    assert entry["id"] == "acc-1"
    assert entry["workspace_backend_origin"] == entry["account_routing_override"] == "NO_CONSTRAINT"
    gov = upstream.add_account("gov", backend_origin="https://gov.chatgpt.com", routing_override="us")
    [entry] = http.get(CHECK, headers=credentials(gov)).json()["accounts"]
    assert entry["workspace_backend_origin"] == "https://gov.chatgpt.com"
    assert entry["account_routing_override"] == "us"


def test_accounts_check_lists_every_seat_of_the_person(upstream: StandIn, account: Account, http: httpx.Client) -> None:
    """And nobody else's, whichever of the seats asks."""
    team = upstream.add_account("team", user_id="user-1", name="Example Ltd", plan="team", routing_override="us")
    upstream.add_account("team", user_id="user-2")
    for asking in (account, team):
        answer = http.get(CHECK, headers=credentials(asking)).json()
        assert [each["id"] for each in answer["accounts"]] == answer["account_ordering"] == ["acc-1", "team"]
        assert answer["default_account_id"] == asking.account_id
        mine, ours = answer["accounts"]
        assert (mine["name"], mine["structure"], mine["account_routing_override"]) == ("", "personal", "NO_CONSTRAINT")
        assert (ours["name"], ours["structure"], ours["account_routing_override"]) == ("Example Ltd", "workspace", "us")


@pytest.mark.parametrize("name", USAGE_ANSWERS)
def test_usage_by_name(account: Account, http: httpx.Client, name: str) -> None:
    """For as often as was said, then the truth again."""
    account.usage_gets(name, times=1)
    answer = http.get("/backend-api/wham/usage", headers=credentials(account))
    assert (answer.status_code, answer.content) == (USAGE_ANSWERS[name].status, USAGE_ANSWERS[name].body)
    assert "rate_limit" in http.get("/backend-api/wham/usage", headers=credentials(account)).json()


def test_usage(account: Account, http: httpx.Client) -> None:
    """Windows in seconds, and whether the limit is reached."""
    body = http.get("/backend-api/wham/usage", headers=credentials(account)).json()
    assert (body["account_id"], body["user_id"], body["plan_type"]) == ("acc-1", "user-1", "plus")
    assert body["rate_limit"]["primary_window"]["limit_window_seconds"] == 18000
    assert body["rate_limit"]["allowed"]
    account.limits(primary=Window(used_percent=100, minutes=300, resets_in=60), secondary=None)
    limit = http.get("/backend-api/wham/usage", headers=credentials(account)).json()["rate_limit"]
    assert (limit["allowed"], limit["limit_reached"], limit["secondary_window"]) == (False, True, None)


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/backend-api/codex/models?client_version=0.169.0", 200, {"models": []}),
        ("GET", "/backend-api/wham/settings/user", 200, {}),
        ("GET", "/backend-api/wham/config/bundle", 200, {}),
        ("POST", "/backend-api/codex/analytics-events/events", 200, {}),
        ("POST", "/backend-api/codex/responses/compact", 200, {}),
        ("POST", "/backend-api/codex/alpha/search", 200, {}),
        ("GET", "/backend-api/codex/images/1", 200, {}),
        ("GET", "/backend-api/ps/plugins/installed", 404, None),
    ],
)
def test_the_rest(account: Account, http: httpx.Client, method: str, path: str, status: int, body: object) -> None:
    """Known paths have an answer, unknown model paths `{}`, anything else 404."""
    answer = http.request(method, path, headers=credentials(account))
    assert answer.status_code == status
    assert body is None or answer.json() == body


def test_models_have_an_etag(account: Account, http: httpx.Client) -> None:
    """The client compares it."""
    assert http.get("/backend-api/codex/models", headers=credentials(account)).headers["etag"]

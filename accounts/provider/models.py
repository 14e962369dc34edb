"""A closer look at an account: at the way that its model requests take, for the list of models, which costs nothing."""

import json
from dataclasses import replace
from typing import Final

from accounts import origin
from accounts.choice.outcomes import Reply, classify, error_of
from accounts.model import Account, Credentials
from accounts.provider import usage
from accounts.provider.checking import Further, Get
from accounts.provider.usage import AccountFinding, ProviderAnswer, Verdict
from config import version

CATALOGUE: Final = "codex/models"


def asks_for_models(base_url: str, get: Get) -> Further:
    """A closer look: at the way that an account's model requests take. What goes wrong there says nothing of its login,
    so the account is neither marked nor freed."""

    def ask(account: Account, credentials: Credentials, finding: AccountFinding) -> AccountFinding:
        try:
            answer = get(models_url(base_url, account), usage.headers(account, credentials))
        except (OSError, ValueError) as e:
            return replace(finding, verdict=Verdict.UNKNOWN, detail=f"its models: {e}")
        said = read_models(answer)
        return replace(finding, verdict=Verdict.UNKNOWN, detail=f"its models: {said}") if said else finding

    return ask


def models_url(base_url: str, account: Account) -> str:
    """Where this account's models are: at its own host, unless our calls are led elsewhere by the settings. Raises
    ValueError for an account whose host is not the provider's."""
    host = origin.host_of(account)
    own = base_url.replace(f"https://{origin.HOME_HOST}/", f"https://{host}/", 1)
    return f"{own.rstrip('/')}/{CATALOGUE}?client_version={version.CLIENT}"


def read_models(answer: ProviderAnswer) -> str:
    """What is wrong with the answer, "" for nothing."""
    try:
        payload = json.loads(answer.body)
    except (ValueError, RecursionError):
        payload = None
    if answer.status == 200:
        return "" if isinstance(payload, dict) and isinstance(payload.get("models"), list) else "200, but no list"
    return classify(Reply(status=answer.status, headers=answer.headers, error=error_of(payload)), 0.0).detail

"""What a client gets whose login is one of ours (accounts/people/virtual_login.py), for all but the model: nobody at
the provider knows it, so nothing that it asks goes there."""

from collections.abc import Callable, Mapping
from typing import Final

from mitmproxy import http

from accounts.choice.quota import MAIN
from accounts.people.virtual_login import PLAN
from addons.exchange.answering import client_answers
from addons.exchange.answering.pool_quota import PoolQuota
from addons.wire import answers, rate_limits

NOTHING: Final = (
    "This client uses a login of codex-rotate, which is known to this proxy alone. Models are served with it; {asked} "
    "is not. Log in with an account of your own for that."
)


def answer_to(request: http.Request, quota: PoolQuota) -> http.Response:
    """`quota` is what is told of the limits of the accounts that serve this client."""
    path = request.path.partition("?")[0]
    known = ANSWERS.get((request.method, path))
    return known(request, quota) if known is not None else nothing_behind(f"{request.method} {path[:200]}")


def nothing_behind(asked: str) -> http.Response:
    """Of what only an account of the client's own could ask for."""
    return answers.error(404, "codex_rotate_virtual_login", NOTHING.format(asked=asked))


def _routing(request: http.Request, _: PoolQuota) -> http.Response:
    return client_answers.routing(request.headers.get(client_answers.OWN_ID, ""))


def _usage(request: http.Request, quota: PoolQuota) -> http.Response:
    account = request.headers.get(client_answers.OWN_ID, "")
    return client_answers.told(
        {
            "user_id": f"user-{account}",
            "account_id": account,
            "plan_type": PLAN,
            "rate_limit": rate_limits.limit_of(quota.windows(MAIN), quota.service.clock()),
            "additional_rate_limits": [],
            "credits": {"has_credits": False, "unlimited": False, "balance": None},
        }
    )


def _nothing(_: http.Request, __: PoolQuota) -> http.Response:
    return client_answers.told({})


ANSWERS: Final[Mapping[tuple[str, str], Callable[[http.Request, PoolQuota], http.Response]]] = {
    ("GET", client_answers.ROUTING): _routing,
    ("GET", client_answers.POLICY): _nothing,
    ("GET", client_answers.SETTINGS): _nothing,
    ("GET", client_answers.USAGE): _usage,
}

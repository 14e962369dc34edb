"""What a client gets whose login is one of ours (accounts/people/virtual_login.py), for all but the model: nobody at
the provider knows it, so nothing that it asks goes there."""

from collections.abc import Callable, Mapping
from typing import Final

from mitmproxy import http

from accounts.people.virtual_login import PLAN
from accounts.views.capacity import pool_windows
from addons.exchange.answering import client_answers
from addons.exchange.service import PoolService
from addons.wire import answers

NOTHING: Final = (
    "This client uses a login of codex-rotate, which is known to this proxy alone. Models are served with it; {asked} "
    "is not. Log in with an account of your own for that."
)


def answer_to(request: http.Request, service: PoolService) -> http.Response:
    path = request.path.partition("?")[0]
    known = ANSWERS.get((request.method, path))
    return known(request, service) if known is not None else nothing_behind(f"{request.method} {path[:200]}")


def nothing_behind(asked: str) -> http.Response:
    """Of what only an account of the client's own could ask for."""
    return answers.error(404, "codex_rotate_virtual_login", NOTHING.format(asked=asked))


def _routing(request: http.Request, _: PoolService) -> http.Response:
    return client_answers.routing(request.headers.get(client_answers.OWN_ID, ""))


def _usage(request: http.Request, service: PoolService) -> http.Response:
    account, now = request.headers.get(client_answers.OWN_ID, ""), service.clock()
    windows = pool_windows(service.pool.candidates.values(), service.pool.policy, now)
    return client_answers.told(
        {
            "user_id": f"user-{account}",
            "account_id": account,
            "plan_type": PLAN,
            "rate_limit": client_answers.limit_of(windows, now),
            "additional_rate_limits": [],
            "credits": {"has_credits": False, "unlimited": False, "balance": None},
        }
    )


def _nothing(_: http.Request, __: PoolService) -> http.Response:
    return client_answers.told({})


ANSWERS: Final[Mapping[tuple[str, str], Callable[[http.Request, PoolService], http.Response]]] = {
    ("GET", client_answers.ROUTING): _routing,
    ("GET", client_answers.POLICY): _nothing,
    ("GET", client_answers.SETTINGS): _nothing,
    ("GET", client_answers.USAGE): _usage,
}

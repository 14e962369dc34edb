"""The way out of a login: one request of it over the network. Nothing is retried here."""

from collections.abc import Mapping
from typing import Final

from accounts.logins.oauth_login import CallbackAnswer, Post
from accounts.provider.asking import get_over_http
from config.network.outbound import way_to

ANSWER_SECONDS: Final = 30.0


def send(post: Post) -> CallbackAnswer:
    """Send it now, whatever its `after` says. No answer is an answer too: status 0."""
    import httpx  # late: only a login needs it

    form, document = (dict(post.body), None) if post.form else (None, dict(post.body))
    try:
        with way_to(post.url).client(ANSWER_SECONDS) as client:
            answer = client.post(post.url, data=form, json=document)
    except (httpx.HTTPError, httpx.InvalidURL):
        return CallbackAnswer(0)
    return CallbackAnswer(answer.status_code, answer.content)


def get(url: str, headers: Mapping[str, str]) -> CallbackAnswer:
    """Ask with a token, as `verify` does. No answer is an answer too: status 0."""
    import httpx

    try:
        answer = get_over_http(url, headers)
    except (OSError, ValueError, httpx.InvalidURL):  # the last two: an address that cannot be one
        return CallbackAnswer(0)
    return CallbackAnswer(answer.status, answer.body)

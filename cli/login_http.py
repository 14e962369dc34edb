"""The way out of a login: one request of it over the network. Nothing is retried here."""

from collections.abc import Mapping
from typing import Final

from accounts.login import Answer, Post
from cli.verify_commands import get_over_http

ANSWER_SECONDS: Final = 30.0


def send(post: Post) -> Answer:
    """Send it now, whatever its `after` says. No answer is an answer too: status 0."""
    import httpx  # late: only a login needs it

    try:
        if post.form:
            answer = httpx.post(post.url, data=dict(post.body), timeout=ANSWER_SECONDS, follow_redirects=False)
        else:
            answer = httpx.post(post.url, json=dict(post.body), timeout=ANSWER_SECONDS, follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL):
        return Answer(0)
    return Answer(answer.status_code, answer.content)


def get(url: str, headers: Mapping[str, str]) -> Answer:
    """Ask with a token, as `verify` does. No answer is an answer too: status 0."""
    import httpx

    try:
        answer = get_over_http(url, headers)
    except (OSError, ValueError, httpx.InvalidURL):  # the last two: an address that cannot be one
        return Answer(0)
    return Answer(answer.status, answer.body)

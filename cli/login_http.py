"""The way out of a login: one request of accounts/login.py over the network. Nothing is retried here."""

from typing import Final

from accounts.login import Answer, Post

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

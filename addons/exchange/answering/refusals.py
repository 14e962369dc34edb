"""What a client is told that may not use the proxy. Pure.

The client does not show what a CONNECT was refused with, and goes on trying for half a minute. So connections to the
provider's hosts are let in and everything inside is refused: the two questions that it asks before the model get an
answer of ours, so that it comes to ask the model, and the words of that refusal are printed at once
(docs/codex-wire.md sections 1.1 and 3).
"""

from collections.abc import Mapping
from typing import Final

from mitmproxy import http

from accounts.people.keys import Refusal, Refused
from accounts.people.rules import Denial
from addons.exchange.answering import client_answers
from addons.exchange.answering.client_answers import OWN_ID, POLICY, ROUTING
from addons.wire import answers, messages
from config.provider import PROVIDER

MODEL: Final = f"{PROVIDER.codex_path}/"
RESPONSES: Final = MODEL + "responses"

_ASK: Final = (
    "Ask its owner for a key file (`codex-rotate keys add NAME --host HOST`) and run `codex-rotate join FILE` with it."
)
WORDS: Final[Mapping[Refusal, str]] = {
    Refusal.KEY_NEEDED: "This codex-rotate proxy serves clients with a key only, and this client shows none. Is the "
    "proxy your own? Start the client with `codex-rotate run`, or run `codex-rotate env` or `bind` again: they put the "
    f"key in. Is it somebody else's? {_ASK}",
    Refusal.KEY_UNKNOWN: "This codex-rotate proxy does not know the key that this client shows: it is mistyped, of "
    f"another proxy, or was taken back. {_ASK}",
    Refusal.KEY_REMOVED: "The owner of this codex-rotate proxy has taken back the key of {name}, which this client "
    f"shows. {_ASK}",
    Refusal.KEY_EXPIRED: "The key {name}, which this client shows, has expired. Ask the owner of this codex-rotate "
    "proxy for a new key file (`codex-rotate keys rotate {name} --host HOST`), and run `codex-rotate join FILE`.",
    Refusal.PERSON_PAUSED: "The owner of this codex-rotate proxy has paused {name}, whose key this client shows. Ask "
    "them to resume it (`codex-rotate people resume {name}`).",
    Refusal.OTHER_USER: "This codex-rotate proxy serves the user who runs it, and this client is another user's. "
    f"{_ASK} Or ask its owner for `codex-rotate serve --everyone-here`.",
    Refusal.USER_UNTOLD: "This codex-rotate proxy serves the user who runs it, and this system does not say whose "
    "this client is, so a key is needed. Is the proxy your own? Start the client with `codex-rotate run`, or run "
    "`codex-rotate env` or `bind` again: they put one in, which `codex-rotate keys add NAME` makes with the first of "
    f"others. Is it somebody else's? {_ASK}",
}
BESIDE: Final = "This client may not use this codex-rotate proxy; a request to the model is told why."
"""For what the client asks beside the model, and may ask a dozen times: it prints, or logs, some of these too."""


def kind(why: Refusal) -> str:
    """The type of the error."""
    return f"codex_rotate_{why}"


def refused(to: Refused, status: int = 407) -> http.Response:
    """The refusal in full: 407 for what was asked of the proxy itself, 400 for what the client prints."""
    response = answers.error(status, kind(to.why), WORDS[to.why].format(name=to.name))
    if status == 407:
        response.headers["proxy-authenticate"] = 'Basic realm="codex-rotate"'
    return response


def denied(denial: Denial) -> http.Response:
    """What a person is told whose turn a rule of the pool's owner forbids. 400 is printed by the client at once, and it
    does not ask again."""
    told = f"codex-rotate: {denial.sentence}. The owner of this proxy has set this rule."
    return answers.error(400, f"codex_rotate_{denial.rule}", told)


def inside(to: Refused, request: http.Request) -> http.Response:
    """The answer to a request in a connection that was let in to be refused. 400 is printed by the client at once."""
    path = request.path.partition("?")[0]
    if request.method == "GET" and path == POLICY:
        return client_answers.told({})
    if request.method == "GET" and path == ROUTING and OWN_ID in request.headers:
        return client_answers.routing(request.headers[OWN_ID])
    asks_the_model = path == RESPONSES if messages.is_upgrade(request) else request.method == "POST"
    if asks_the_model and path.startswith(MODEL):
        return refused(to, 400)
    return answers.error(403, kind(to.why), BESIDE)

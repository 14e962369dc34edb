"""What the client is answered when no account is: of each refusal of a turn, for either transport."""

import math
from collections.abc import Sequence

from mitmproxy import http

from accounts.choice.selection import Ask, Exhausted
from accounts.turn.steps import HandOver, Reason, Refuse, Step
from addons.attempts.local_websocket import accepting
from addons.attempts.protocol import Accept, Answer
from addons.exchange.answering import refusals
from addons.exchange.service import PoolService
from addons.wire import answers, events, messages
from addons.wire.answers import RECONNECT

ALL_BUSY: str = "Every account is asked too often just now."
OTHERS_LEFT: str = "Several accounts in a row could not serve; others are left."


def response_to(refuse: Refuse, service: PoolService) -> http.Response:  # noqa: PLR0911 - one for each reason
    """The refusal in HTTP; in a socket, `answers.in_band` of it."""
    match refuse.reason:
        case Reason.NOBODY_LEFT:
            return service.nothing_usable(refuse.nobody or Exhausted(), service.clock())
        case Reason.OTHERS_LEFT:
            return answers.try_again(1, OTHERS_LEFT)
        case Reason.SIGNED_OUT:
            return answers.signed_out()
        case Reason.UNREACHABLE:
            return answers.unreachable(refuse.detail)
        case Reason.BUSY:
            return answers.try_again(max(1, math.ceil(refuse.seconds)), ALL_BUSY)
        case Reason.RULED_OUT:
            return refusals.denied(refuse.denial) if refuse.denial is not None else answers.failed_closed()
        case Reason.USE_HTTP:
            return answers.upgrade_refused()


def instead(step: Step, service: PoolService, ask: Ask, request: http.Request) -> Answer:
    """What a request gets by a step that no account has to do with."""
    match step:
        case Refuse():
            return answer_to(step, service, ask, request)
        case HandOver():
            return reconnecting(request)
        case _:
            raise AssertionError(f"{step} is not for a request over HTTP")


def answer_to(refuse: Refuse, service: PoolService, ask: Ask, request: http.Request) -> Answer:
    """What a request gets. A refused upgrade loses its body on the way; inside a socket the client reads it."""
    if not messages.is_upgrade(request):
        return Answer(response_to(refuse, service))
    if refuse.reason is Reason.NOBODY_LEFT:
        return while_exhausted(service, ask, request)
    if refuse.reason in {Reason.UNREACHABLE, Reason.USE_HTTP}:
        return Answer(response_to(refuse, service))
    return saying(response_to(refuse, service), request)


def while_exhausted(service: PoolService, ask: Ask, request: http.Request) -> Accept:
    """What an upgrade gets that no account can serve. A request in the socket asks the pool anew: when somebody is back
    the client is sent to a new upgrade, else it hears why not. A warm-up is no exception; its failure costs nothing."""

    def talk(message: bytes) -> Sequence[bytes]:
        if events.event_type(message) != events.CREATE:
            return ()
        now = service.clock()
        left = service.turn(ask).left(now)
        return (answers.in_band(service.nothing_usable(left, now)) if isinstance(left, Exhausted) else RECONNECT,)

    return Accept(accepting(request), talk)


def reconnecting(request: http.Request) -> Accept:
    """What an upgrade gets that its account did not answer in time: in the socket the client is sent to another one."""
    return Accept(
        accepting(request), lambda message: (RECONNECT,) if events.event_type(message) == events.CREATE else ()
    )


def saying(response: http.Response, request: http.Request) -> Accept:
    """What an upgrade gets that has failed: the same answer to whatever the client asks in the socket."""

    def talk(message: bytes) -> Sequence[bytes]:
        return (answers.in_band(response),) if events.event_type(message) == events.CREATE else ()

    return Accept(accepting(request), talk)

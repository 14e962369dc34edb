"""A stand-in OpenAI on loopback, for tests and for `codex-rotate demo`.

It speaks as much of the wire as the official Codex CLI needs (docs/codex-wire.md) over TLS on a free port, and can be
made to fail in every way that matters:

    with StandIn() as upstream:
        upstream.add_account("acc-1")
        upstream.add_account("acc-2")
        upstream.fault("acc-1", Fault(FaultKind.USAGE_LIMIT, resets_in=3600))
        upstream.pace("acc-2", Pace(first_byte=8, between_words=0.25, words=60))
        upstream.fault("acc-2", CASES["gzip_limit"], times=1)

An account dies at any event of an answer, and a turn can have several answers with items of each kind:

    upstream.fault("acc-1", Fault(FaultKind.RESET, before=7))
    upstream.fault("*", Fault(FaultKind.FAILED_EVENT, before="response.output_item.done", step=1), times=1)
    upstream.plays([Reasoning(), shell_call("echo one")], [Message("Done.")])
    upstream.answers("acc-2", [WebSearch("weather"), Message("Sunny.")])

`attempts` tell how far each answer came; with `strict` a history that cannot have come about is refused.

`CASES` are what users have met, by name. With `StandIn(by_hand=True)` a minute passes when a test says so.
"""

from standin.accounts import Account, Window
from standin.faults import Fault, FaultKind, Point
from standin.faults.cases import CASES
from standin.pace import Pace, Pause
from standin.records import SeenRequest
from standin.server import StandIn
from standin.state import ANY_ACCOUNT, Refresh

__all__ = [
    "ANY_ACCOUNT",
    "CASES",
    "Account",
    "Fault",
    "FaultKind",
    "Pace",
    "Pause",
    "Point",
    "Refresh",
    "SeenRequest",
    "StandIn",
    "Window",
]

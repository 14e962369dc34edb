"""What a flow shows of the attempts made for it: a comment, a marker, and the failed answers as metadata.

| key of `flow.metadata` | meaning |
| --- | --- |
| `codex_rotate.thread` | the conversation's id, "" for none |
| `codex_rotate.model` | the model that was asked for |
| `codex_rotate.transport` | `http` or `websocket` |
| `codex_rotate.done` | what became of it, in words |
| `codex_rotate.attempts` | `account`, `why`, `kind`, `detail`, `seconds`, `status`; of a failed one `headers`, `body` |
| `codex_rotate.person` | who asked: a person, or the name of a client key that is nobody's |
| `codex_rotate.nobody` | where no account could serve: of each, why not |
| `codex_rotate.captured` | of a body that is kept in part: how many bytes are kept, and how many there were |
| `codex_rotate.messages_dropped` | of a socket: how many of its older messages are gone |
| `codex_rotate.turns` | of a WebSocket, the last 100 turns: `at`, `done`, `seconds`, and `attempts` without answers |

All are ours, none holds a credential; flows keep them when they are saved.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from mitmproxy import http

from accounts.choice.decision_record import Decided, Done
from accounts.choice.outcomes import Kind, Outcome
from accounts.turn.machine import Turn
from addons.redaction import flows
from addons.redaction.patterns import RESPONSE_HEADERS
from addons.wire import messages
from config.times.local_time import clock_time

PREFIX: Final = "codex_rotate."
PERSON: Final = f"{PREFIX}person"
MOST_BODY: Final = 16 * 1024
MOST_TURNS: Final = 100
FINE: Final = frozenset({Kind.OK, Kind.UPGRADED})
USUAL: Final = FINE | {Kind.UPGRADE_REFUSED}
"""What is no failure: on a 426 the client goes on over HTTP, in silence."""
ROTATED: Final = ":twisted_rightwards_arrows:"
FAILED: Final = ":no_entry:"
OURS: Final = Done.OURS
RECONNECTS: Final = Done.RECONNECTS


class FlowAnnotations:
    """The attempts for one request, as its flow shows them."""

    def __init__(
        self, flow: http.HTTPFlow, turn: Turn, shown: flows.FlowRedactor, *, upgrade: bool, minor: bool = False
    ) -> None:
        """`minor`: a request whose failure nobody notices, as the client does without its answer."""
        self.flow = flow
        self.turn = turn
        self.shown = shown
        self.minor = minor
        self._attempts: list[dict[str, Any]] = []
        self._words: list[str] = []
        self._unseen: list[tuple[dict[str, Any], http.Response, bytes]] = []
        """Answers that the client does not get."""
        forget(flow)
        flow.metadata[f"{PREFIX}transport"] = "websocket" if upgrade else "http"
        flow.metadata[f"{PREFIX}attempts"] = self._attempts

    def follow(self, response: http.Response | None, body: bytes, *, delivered: bool) -> None:
        """Show what the turn has learned since. `response` and `body` are of the attempt that is over."""
        for place in range(len(self._attempts), len(self.turn.log.attempts)):
            row, outcome = self.turn.log.attempts[place], self.turn.log.outcomes[place]
            shown: dict[str, Any] = {
                "account": row.account,
                "why": row.why,
                "kind": str(row.kind),
                "detail": row.detail,
                "seconds": row.seconds,
                "status": response.status_code if response is not None else 0,
            }
            if response is not None and not delivered:
                self._unseen.append((shown, response, body))
            self._attempts.append(shown)
            self._words.append(in_words(row.account, shown["status"], outcome, self.turn.began))
        self._tell("")

    def over(self, done: str, now: float) -> None:
        """The request has come to its end: now is the time for what nobody waits for."""
        for shown, response, body in self._unseen:
            shown |= {"headers": self._headers(response), "body": self._text(response, body)}
        self._unseen.clear()
        self.flow.metadata |= {
            f"{PREFIX}thread": self.turn.ask.thread,
            f"{PREFIX}model": self.turn.ask.model,
            f"{PREFIX}done": str(done),
        }
        self._tell(f", {max(0.0, now - self.turn.began):.1f} s{_rotations(self._attempts)}")
        if not self.flow.marked:
            failed = not self.turn.log.outcomes or self.turn.log.outcomes[-1].kind not in USUAL
            self.flow.marked = FAILED if failed and not self.minor else ROTATED if len(self._attempts) > 1 else ""

    def nobody(self, reasons: Mapping[str, str]) -> None:
        """No account can serve, so the answer is ours. `reasons` says of each account why not."""
        self.flow.metadata[f"{PREFIX}nobody"] = dict(reasons)
        self._words.append("nobody left")
        self._tell("")

    def _headers(self, response: http.Response) -> list[list[str]]:
        kept = response.headers.copy()
        flows.hide(kept, RESPONSE_HEADERS, self.shown.ids)
        return [[name.decode("utf-8", "replace"), value.decode("utf-8", "replace")] for name, value in kept.fields]

    def _text(self, response: http.Response, body: bytes) -> str:
        plain = messages.plain(response, body)
        cut = f"… ({len(plain)} bytes)" if len(plain) > MOST_BODY else ""
        return self.shown.masked(plain[:MOST_BODY]).decode("utf-8", "replace") + cut

    def _tell(self, ending: str) -> None:
        self.flow.comment = (" → ".join(self._words) or "nobody was asked") + ending


def forget(flow: http.HTTPFlow) -> None:
    """A request begins, which may be one that is played again: what it has come to before holds no more."""
    for key in [key for key in flow.metadata if key.startswith(PREFIX)]:
        del flow.metadata[key]
    if flow.marked in {ROTATED, FAILED}:
        flow.marked = ""


def in_words(account: str, status: int, outcome: Outcome, now: float) -> str:
    """One attempt: `work 429 usage limit until 14:05`."""
    said = [account, str(status) if status else ""]
    if outcome.kind not in FINE:
        said.append(str(outcome.kind).replace("_", " "))
        said.append(f"until {clock_time(outcome.until, now)}" if outcome.until is not None else "")
    return " ".join(filter(None, said))


def turn_over(flow: http.HTTPFlow, decided: Decided) -> None:
    """A turn on an open socket is over."""
    record, event = decided
    attempts = [
        {"account": each.account, "why": each.why, "kind": each.kind, "detail": each.detail, "seconds": each.seconds}
        for each in record.attempts
    ]
    turns = flow.metadata.setdefault(f"{PREFIX}turns", [])
    turns.append({"at": event.at, "done": record.done, "seconds": record.seconds, "attempts": attempts})
    del turns[:-MOST_TURNS]
    trouble = [str(each["kind"]) for each in attempts if each["kind"] not in FINE]
    last = f"{_way(attempts)}, " if len(attempts) > 1 else "".join(f"{kind.replace('_', ' ')}, " for kind in trouble)
    number = "" if len(turns) == 1 else f"{len(turns)} turns, the last: "
    upgrade = flow.comment.partition(" | ")[0]
    flow.comment = f"{upgrade} | {number}{last}{record.done}, {record.seconds:.1f} s"
    if trouble and flow.marked != FAILED:
        went_on = record.done == RECONNECTS or attempts[-1]["kind"] in FINE
        flow.marked = ROTATED if went_on else FAILED


def _way(attempts: Sequence[dict[str, Any]]) -> str:
    """The accounts of a turn on a socket, and what each has failed with."""
    kinds = ("" if each["kind"] in FINE else str(each["kind"]).replace("_", " ") for each in attempts)
    return " → ".join(f"{each['account']} {kind}".rstrip() for each, kind in zip(attempts, kinds, strict=True))


def _rotations(attempts: Sequence[dict[str, Any]]) -> str:
    accounts = [each["account"] for each in attempts]
    switched = sum(one != other for one, other in pairwise(accounts))
    return "" if not switched else ", 1 rotation" if switched == 1 else f", {switched} rotations"

"""A fault: a kind of trouble with its details, and which requests it is for."""

from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

from standin.faults.details import Details, Phase, Point, Scene
from standin.faults.kinds import FaultKind
from standin.faults.rules import RULES, Rule
from standin.replies import Reply

GENERATION_PREFIX = "/backend-api/codex/"
CATALOGUE_PATH = "/backend-api/codex/models"
ANALYTICS_PREFIX = "/backend-api/codex/analytics-events/"


@dataclass(frozen=True, slots=True)
class Fault(Details):
    """A kind of trouble and its details.

    `before` strikes before that event of an answer that is no warm-up: before a number (from 0; a number past the last
    event means after it), or before the first of a kind. `step` is for the answers of that step only in a turn of
    several (from 0, see `Script.plays`). `then` is what the account that it struck says from then on.
    `at` strikes there and not where the kind does; `shell` (a key of `responses.SHELLS`) is what has been sent of an
    item at `Point.SHELL`. `in_band` lets a WebSocket upgrade pass and strikes at the first message instead;
    `after_output` and `after_last` are short for the points of those names. `warm_up=False` spares requests with
    `generate: false`. `path` is the exact path the fault applies to; None means every generation path (or the token
    endpoint for TOKEN_ kinds).
    """

    kind: FaultKind
    _: KW_ONLY
    at: Point | None = None
    shell: str = "message"
    in_band: bool = False
    after_output: bool = False
    after_last: bool = False
    warm_up: bool = True
    path: str | None = None
    before: int | str | None = None
    step: int | None = None
    then: "Fault | None" = None

    @property
    def rule(self) -> Rule:
        """The row of this kind."""
        return RULES[self.kind]

    @property
    def point(self) -> Point:
        """Where this fault strikes."""
        if self.before is not None:
            return Point.EVENT
        if self.at is not None:
            return self.at
        if self.after_last:
            return Point.LAST
        return Point.OUTPUT if self.after_output else self.rule.point

    @property
    def scope(self) -> str | None:
        """The one path this fault is for, None for all generation paths."""
        return self.path or self.rule.path

    @property
    def delay(self) -> float:
        """How long a delay lasts, in seconds."""
        return self.rule.seconds if self.seconds is None else self.seconds

    @property
    def close_with(self) -> int:
        """The code of a close frame."""
        return self.rule.close_code if self.close_code is None else self.close_code

    @property
    def stream_type(self) -> str | None:
        """The content type of the event stream: None for the usual one, "" for none at all."""
        return self.rule.content_type if self.content_type is None else self.content_type

    @property
    def stream_coding(self) -> str | None:
        """The content coding of the event stream, None for none."""
        return self.coding or self.rule.coding

    def strikes(
        self, path: str, phase: Phase, *, warm_up: bool = False, size: int = 0, step: int | None = None
    ) -> bool:
        """Whether this fault is for a request to `path` at this occasion; `size` is that of a message, in bytes, and
        `step` that of the turn it belongs to."""
        if self.step is not None and step != self.step:
            return False
        if warm_up and (not self.warm_up or self.point >= Point.SHELL):
            return False
        if not (is_generation(path) if self.scope is None else self.scope == path):
            return False
        return self._occurs(phase) and size >= (self.rule.min_bytes if self.min_bytes is None else self.min_bytes)

    def _occurs(self, phase: Phase) -> bool:
        phases = self.rule.phases
        if phase not in phases:
            return False
        early = self.point is Point.HEAD and not self.in_band
        if phase in {Phase.UPGRADE, Phase.ACCEPTED}:
            return early
        return phase is Phase.REQUEST or Phase.ACCEPTED not in phases or not early

    def reply(self, plan: str, now: float) -> Reply:
        """The whole answer of a fault whose action is REPLY, with the fault's own status and `Retry-After`."""
        assert self.rule.reply is not None, f"{self.kind} has no reply"
        reply = self.rule.reply(Scene(self, plan, now))
        if self.status is not None:
            reply = replace(reply, status=self.status)
        if self.content_type is not None:
            kept = tuple(pair for pair in reply.headers if pair[0] != "content-type")
            reply = replace(reply, headers=(("content-type", self.content_type), *kept))
        if self.retry_after is not None:
            reply = replace(reply, headers=(*reply.headers, ("retry-after", str(self.retry_after))))
        return reply

    def event(self, plan: str, now: float) -> dict[str, Any]:
        """The event of a fault whose action is EVENT."""
        assert self.rule.event is not None, f"{self.kind} has no event"
        return self.rule.event(Scene(self, plan, now))


def is_generation(path: str) -> bool:
    """Whether a path spends an account's allowance, docs/codex-wire.md section 11."""
    return path.startswith(GENERATION_PREFIX) and path != CATALOGUE_PATH and not path.startswith(ANALYTICS_PREFIX)

"""What may happen to a turn: how its answers go, and when which account dies of what. Drawn from a seed, or named."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from standin.faults import Fault, FaultKind, Point
from standin.model import FunctionCall, Item, Message, Reasoning, WebSearch, shell_call
from standin.responses import assemble, parse
from tests.e2e.cases import HTTP, WEBSOCKET

type Steps = tuple[tuple[Item, ...], ...]


# --- plots -----------------------------------------------------------------------------------------------------------


def _plain(said: str, _: str) -> Steps:
    return ((Message(said),),)


def _thought(said: str, _: str) -> Steps:
    return ((Reasoning("Thinking it over."), Message(said)),)


def _remark(said: str, mark: str) -> Steps:
    return ((Reasoning(), Message(f"Remark {mark}."), Reasoning(), Message(said)),)


def _search(said: str, mark: str) -> Steps:
    return ((Reasoning(), WebSearch(f"search {mark}"), Message(said)),)


def _tool(said: str, mark: str) -> Steps:
    return (Reasoning(), shell_call(f"echo run {mark}")), (Reasoning(), Message(said))


def _tools(said: str, mark: str) -> Steps:
    return (shell_call(f"echo run {mark} a"), shell_call(f"echo run {mark} b")), (Message(said),)


def _function(said: str, _: str) -> Steps:
    return (Reasoning(), FunctionCall("sleep", {"duration_ms": 2}, "clock")), (Message(said),)


def _long(said: str, mark: str) -> Steps:
    first = (Reasoning("Looking around."), Message(f"Remark {mark}."), shell_call(f"echo run {mark} a"))
    return first, (shell_call(f"echo run {mark} b"),), (Reasoning(), Message(said))


PLOTS: Final[Mapping[str, Callable[[str, str], Steps]]] = {
    "plain": _plain,
    "thought": _thought,
    "remark": _remark,
    "search": _search,
    "tool": _tool,
    "tools": _tools,
    "function": _function,
    "long": _long,
}
"""The items of a turn's answers, from its last words and a mark that nothing else has."""


def counted(plot: str, transport: str) -> list[int]:
    """How many events each answer of a plot has."""
    nothing = parse("{}")
    assert nothing is not None
    steps = PLOTS[plot](said("0"), "0")
    more = 1 if transport == WEBSOCKET else 0
    return [len(assemble(nothing, [item.made("") for item in step], 0).events) + more for step in steps]


def said(mark: str) -> str:
    """The last words of a turn."""
    return f"This is answer {mark} to it."


# --- modes -----------------------------------------------------------------------------------------------------------

LIMIT: Final = Fault(FaultKind.USAGE_LIMIT, resets_in=3600)
REFUSALS: Final[Mapping[str, Fault]] = {
    "limit": LIMIT,
    "invalidated": Fault(FaultKind.UNAUTHORIZED_INVALIDATED),
    "workspace": Fault(FaultKind.DEACTIVATED, status=402),
    "500": Fault(FaultKind.SERVER_ERROR),
    "503": Fault(FaultKind.OVERLOADED),
}
"""What an account says instead of an answer."""
EVENTS: Final[Mapping[str, Fault]] = {
    "limit": LIMIT,
    "limit-failed": Fault(FaultKind.FAILED_EVENT, code="usage_limit_reached", resets_in=3600),
    "invalidated": Fault(FaultKind.UNAUTHORIZED_INVALIDATED),
    "workspace": Fault(FaultKind.DEACTIVATED, status=402),
    "server-error": Fault(FaultKind.FAILED_EVENT),
}
"""What it says in the middle of one."""
ENDS: Final[Mapping[str, Fault]] = {
    "reset": Fault(FaultKind.RESET),
    "close": Fault(FaultKind.CLOSE),
    "cut": Fault(FaultKind.TRUNCATED),
    "silence": Fault(FaultKind.STALL),
    "stream-reset": Fault(FaultKind.STREAM_RESET),
    "frame": Fault(FaultKind.SOCKET_CLOSED, close_code=1011),
    "bare-frame": Fault(FaultKind.SOCKET_CLOSED, close_code=1005),
}
"""How its connection or its stream ends, or never does."""
ONLY_OVER: Final[Mapping[str, str]] = {"stream-reset": HTTP, "frame": WEBSOCKET, "bare-frame": WEBSOCKET}
MODES: Final = tuple(dict.fromkeys((*REFUSALS, *EVENTS, *ENDS)))
LASTING: Final = frozenset({"limit", "limit-failed", "invalidated", "workspace"})
"""An account that says this keeps saying it; of the others one may be well a moment later."""
SILENT: Final = Fault(FaultKind.HANG)


def afterwards(mode: str) -> Fault:
    """What an account that stays as it is says to every request after that."""
    if mode in REFUSALS:
        return REFUSALS[mode]
    ends = {"silence": SILENT, "limit-failed": LIMIT, "server-error": REFUSALS["500"]}
    return ends.get(mode, Fault(FaultKind.RESET))


# --- deaths ----------------------------------------------------------------------------------------------------------

UPGRADE, ACCEPTED, WARM_UP = "upgrade", "accepted", "warm-up"


@dataclass(frozen=True, slots=True)
class Death:
    """One account dies of `mode` at `moment`: at `upgrade`, `accepted` or `warm-up` of a socket; at `STEP`, before that
    answer of the turn (from 0) has begun; or at `STEP:EVENT`, before that event of it. It stays so or is well again."""

    mode: str
    moment: str
    stays: bool = True

    @classmethod
    def named(cls, mode: str, moment: str) -> "Death":
        """As it is written: a mode with a `~` at its end is one after which the account is well again."""
        return cls(mode.removesuffix("~"), moment, not mode.endswith("~"))

    @property
    def written(self) -> str:
        return self.mode if self.stays else f"{self.mode}~"

    @property
    def in_answer(self) -> bool:
        return ":" in self.moment

    def fault(self) -> Fault:
        """It as the stand-in knows it."""
        then = afterwards(self.mode) if self.stays else None
        if self.in_answer:
            step, event = map(int, self.moment.split(":"))
            return replace((EVENTS | ENDS)[self.mode], before=event, step=step, then=then)
        fault = self._at_once()
        if self.moment == WARM_UP:
            return replace(fault, in_band=True, then=then)
        if self.moment.isdigit():
            return replace(fault, in_band=True, step=int(self.moment), then=then)
        return replace(fault, then=then)

    def _at_once(self) -> Fault:
        if self.moment == ACCEPTED:
            return Fault(FaultKind.SOCKET_CLOSED if self.mode == "close" else FaultKind.SOCKET_ABORTED)
        if self.mode == "silence":
            return SILENT
        if self.mode in REFUSALS:
            return REFUSALS[self.mode]
        return replace(ENDS[self.mode], at=Point.HEAD)


def moments(mode: str, plot: str, transport: str) -> dict[str, list[str]]:
    """When one can die of this in such a turn, by where in the turn that is."""
    if ONLY_OVER.get(mode, transport) != transport:
        return {}
    counts = counted(plot, transport)
    found: dict[str, list[str]] = {}
    if mode in REFUSALS or mode in {"reset", "close", "silence"}:
        if transport == WEBSOCKET:
            found["handshake"] = [UPGRADE, *([ACCEPTED] if mode in {"reset", "close"} else [])]
            found["warm-up"] = [WARM_UP]
        found["head"] = [str(step) for step in range(len(counts))]
    if mode in EVENTS or mode in ENDS:
        # after its last event an answer is whole: nobody says then that it failed
        past = 1 if mode in ENDS else 0
        found["answer"] = [f"{step}:{event}" for step, count in enumerate(counts) for event in range(count + past)]
    return found


# --- turns -----------------------------------------------------------------------------------------------------------

EXEC, JSON, SCREEN = "exec", "json", "screen"
WAYS: Final = (EXEC, JSON, SCREEN)


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the user: over which transport, how the client is used, how it goes, and who dies when. `sealed`:
    reasoning opens with its own account only. `paced`: there is a little time between two events."""

    transport: str
    way: str = EXEC
    plot: str = "plain"
    resumed: bool = False
    sealed: bool = False
    paced: bool = False
    deaths: tuple[Death, ...] = ()

    @property
    def again(self) -> str:
        """The options that play it again."""
        modes = ",".join(each.written for each in self.deaths) or "none"
        places = ",".join(each.moment for each in self.deaths) or "-"
        words = f"--only {modes} {places} {NAMES[self.transport]} --plot {self.plot} --way {self.way}"
        return " ".join([words, *(f"--{name}" for name in SWITCHES if getattr(self, name))])


SWITCHES: Final = ("resumed", "sealed", "paced")
NAMES: Final = {WEBSOCKET: "ws", HTTP: "http"}
MOST_DEATHS: Final = 3
MOST_IN_ANSWERS: Final = 3
"""So many answers of a turn may be carried on; after that the client tries again itself."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is drawn from, and how many turns of a hundred are not `codex exec`."""

    modes: Sequence[str] = MODES
    transports: Sequence[str] = (WEBSOCKET, HTTP)
    in_answers: int = MOST_IN_ANSWERS
    ways: Mapping[str, float] = field(default_factory=lambda: {EXEC: 0.85, JSON: 0.12, SCREEN: 0.03})

    def conversation(self, seed: str) -> list[Turn]:
        """One to four turns of a thread, each with one to three deaths."""
        chance = Random(seed)
        transport, sealed = chance.choice(list(self.transports)), chance.random() < 0.5
        turns = []
        for number in range(chance.choice((1, 2, 2, 3, 4))):
            way = chance.choices(list(self.ways), list(self.ways.values()))[0]
            plot = chance.choice(list(PLOTS))
            paced, deaths = chance.random() < 0.4, self._deaths(chance, plot, transport)
            turns.append(Turn(transport, way, plot, number > 0, sealed, paced, deaths))
        return turns

    def _deaths(self, chance: Random, plot: str, transport: str) -> tuple[Death, ...]:
        deaths: list[Death] = []
        for _ in range(chance.choices(range(1, MOST_DEATHS + 1), (6, 3, 1))[0]):
            full = sum(each.in_answer for each in deaths) >= self.in_answers
            by_mode = {}
            for mode in self.modes:
                places = moments(mode, plot, transport)
                if full:
                    places.pop("answer", None)
                if places:
                    by_mode[mode] = places
            if not by_mode:
                break
            mode = chance.choice(list(by_mode))
            places = by_mode[mode]
            where = chance.choices(list(places), [4 if name == "answer" else 1 for name in places])[0]
            deaths.append(Death(mode, chance.choice(places[where]), mode in LASTING or chance.random() < 0.5))
        return tuple(deaths)

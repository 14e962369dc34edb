"""The proxies that are compared: a row each. `plain` is what the others are compared with."""

from dataclasses import dataclass
from typing import Final

from benchmarks.scripts import recorded

DIRECT: Final = "direct"
PLAIN: Final = "plain"
AGAIN: Final = "plain again"
LEAN: Final = "plain, started as ours"
PLAIN_SAVED: Final = "plain -w"
OURS: Final = "ours"
SCRIPT: Final = "ours, mitmdump -s"
TEN: Final = "ours, 10 accounts"
THOUSAND: Final = "ours, 1,000 accounts"
KEPT_NOTHING: Final = "ours, no capture"
SAVED: Final = "ours -w"
ROTATING: Final = "ours, 100 accounts"
TWO: Final = "ours, two workers"
UNRECORDED: Final = "ours, no ledger"
WATCHED: Final = "ours, ten pages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way from the client to upstream.

    `accounts` is the size of its pool, 0 for mitmproxy without the addon. `served`: started as `codex-rotate serve`
    does, else as mitmdump itself. Of `flags`, `{folder}` becomes a folder of its own. `base` names the case it is
    compared with. With several `workers` processes share a port and a pool. So many browsers have its page open as
    `pages` says. `within` names the case whose process it is, if it has none of its own, and `signal` what that is sent
    before each round: two processes of one kind differ by more than some of what is to be measured.
    """

    name: str
    what: str
    accounts: int = 0
    served: bool = True
    flags: tuple[str, ...] = ()
    base: str = PLAIN
    workers: int = 1
    pages: int = 0
    within: str = ""
    signal: str = ""

    @property
    def proxied(self) -> bool:
        return self.name != DIRECT


CASES: Final = (
    Case(name=DIRECT, what="no proxy: the client talks to the upstream itself"),
    Case(
        name=PLAIN, what="mitmdump without the addon, event streams passed on as they come, nothing kept", served=False
    ),
    Case(
        name=AGAIN, what="a second process of the same: how much it differs from the first is the noise", served=False
    ),
    Case(name=LEAN, what="the same without the addon, started as `codex-rotate serve` starts mitmproxy"),
    Case(name=PLAIN_SAVED, what="the same with `-w FILE`", flags=("-w", "{folder}/flows"), served=False),
    Case(name=OURS, what="as `codex-rotate serve` starts it, one account; answers are kept up to 2 MiB", accounts=1),
    Case(
        name=SCRIPT,
        what="one account, `mitmdump -s rotate.py`, in mitmproxy as it is",
        accounts=1,
        served=False,
        flags=("--set", "rotate_hook_index=false"),
    ),
    Case(name=TEN, what="ten accounts", accounts=10, flags=("-s", str(recorded.__file__)), signal=recorded.ON),
    Case(name=THOUSAND, what="a thousand accounts", accounts=1000),
    Case(
        name=KEPT_NOTHING,
        what="one account, `--set rotate_capture_limit=0`",
        accounts=1,
        flags=("--set", "rotate_capture_limit=0"),
    ),
    Case(
        name=SAVED,
        what="one account, with `-w FILE`: every answer is written too. Compared with `plain -w`",
        accounts=1,
        flags=("-w", "{folder}/flows"),
        base=PLAIN_SAVED,
    ),
    Case(name=ROTATING, what="a hundred accounts, so that another one is always left: for rotations", accounts=100),
    Case(
        name=UNRECORDED,
        what="the same process while it makes no record of a turn: what it has beyond that is ledger and budgets",
        accounts=10,
        within=TEN,
        signal=recorded.OFF,
    ),
    Case(
        name=WATCHED,
        what="ten accounts, and ten browsers that have the page open",
        accounts=10,
        flags=("--set", "rotate_page=127.0.0.1:0"),
        pages=10,
    ),
    Case(name=TWO, what="two processes of `ours` that share the port and the pool", accounts=1, workers=2),
)

SHORT: Final = (DIRECT, PLAIN, AGAIN, LEAN, OURS, SCRIPT, TEN, THOUSAND)
EVERY: Final = (*SHORT, KEPT_NOTHING, PLAIN_SAVED, SAVED, TWO)
FEW: Final = (DIRECT, PLAIN, AGAIN, OURS)
BESIDE: Final = (PLAIN, TEN, UNRECORDED, WATCHED)
"""Names of cases that a work is done with."""


def named(names: tuple[str, ...]) -> tuple[Case, ...]:
    """The rows with these names."""
    return tuple(case for case in CASES if case.name in names)

"""`why`: whom the proxy would choose now and what it did choose, with everything that decided."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final

import typer

from accounts.choice.explanation import Explanation
from accounts.choice.selection import Policy, Strategy
from accounts.history import Decision, decisions
from accounts.ledger.queries import turns_of
from accounts.ledger.records import TurnRecord
from accounts.owner.people import find_person
from accounts.people.keys import LOCAL
from accounts.people.people import Person
from accounts.store.store import EVENTS_KEPT, Store
from accounts.views.choice import stored_choice
from accounts.views.choice_words import about_thread, standing_words
from accounts.views.decisions import decision_data
from cli.ui.choices import as_data, used, verdict
from cli.ui.known_names import complete_person, complete_thread
from cli.ui.lines import plain, terminal_width, wrapped
from cli.ui.options import AsJson
from cli.ui.result import Result, Table
from config import clock, paths
from config.times.local_time import clock_time

if TYPE_CHECKING:
    from config.settings import Settings

NO_REQUEST: Final = (
    "The history has no such request: a proxy writes one down when it is over. Start a client with `codex-rotate run`."
)
ONLY_STORED: Final = "A running proxy also counts the requests that are in flight."
TURNS: Final = "Whose turn it is only a running proxy knows."


def add_to(app: typer.Typer) -> None:
    app.command("why")(why_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def why_command(
    *,
    thread: Annotated[
        str,
        typer.Option(
            "--thread", metavar="ID", help="About this conversation, not a new one.", autocompletion=complete_thread
        ),
    ] = "",
    last: Annotated[
        int,
        typer.Option(
            "--last", metavar="N", min=0, show_default=False, help="What was decided for the last N requests."
        ),
    ] = 0,
    person: Annotated[
        str, typer.Option("--person", metavar="NAME", help="For somebody's turn.", autocompletion=complete_person)
    ] = "",
    as_json: AsJson = False,
) -> Result:
    """Show whom the proxy would choose now, account by account with the reasons, or with --last whom it did choose.

    With both, the last N requests of that conversation.
    """
    if last:
        with Store(paths.pool_file()) as store:
            found = decisions(store.events(EVENTS_KEPT))
            mine = [each for each in found if not thread or each.thread == thread]
            turns = turns_of(paths.usage_file(), ((each.thread, each.at) for each in mine[:last]))
            return replace(told(mine[:last], clock.now(), terminal_width(), turns), notes=store.repairs)
    from config import settings  # late: msgspec

    in_force = settings.load()
    with Store(paths.pool_file()) as store:
        who = find_person(store.people.all(), person) if person else None
        result = why(store, in_force, thread, clock.now(), who)
        lines = (line for text in result.message.splitlines() for line in wrapped("", text, terminal_width(), 0))
        return replace(result, message="\n".join(lines), notes=store.repairs)


# --- working: what would be ------------------------------------------------------------------------------------------


def why(store: Store, settings: "Settings", thread: str, now: float, person: Person | None = None) -> Result:
    """The choice for a request of this thread ("": a new one), by this person where one is named. Exit code 3 when
    nobody can serve. Raises NoAccounts."""
    view = stored_choice(store, settings, thread, now, person)
    lines = [*(plain(each) for each in about_thread(view, now)), verdict(view, now)]
    if view.serves and sum(each.barred is None for each in view.found.assessments) > 1:
        lines += {Strategy.BALANCED: [ONLY_STORED], Strategy.ROUND_ROBIN: [TURNS]}.get(view.policy.strategy, [])
    table = _table(view.found, view.policy, now)
    return Result("\n".join(lines), as_data(view, now), exit_code=0 if view.serves else 3, table=table)


def _table(found: Explanation, policy: Policy, now: float) -> Table:
    rows, before = [], None
    for number, each in enumerate(found.assessments, 1):
        shown = (
            str(number) if each.rank else "-",
            plain(each.candidate.account.label),
            used(each, now),
            f"{each.score:.2f}" if each.rank else "",
            plain(standing_words(each, before, policy, now)),
        )
        rows.append(shown if policy.strategy is Strategy.BALANCED else (*shown[:3], shown[4]))
        before = each
    score = ("score",) if policy.strategy is Strategy.BALANCED else ()
    below = "account, used"
    narrow = Table(
        columns=("#", below, "why"),
        rows=tuple((number, "\n".join(filter(None, (label, used))), more[-1]) for number, label, used, *more in rows),
        clipped=frozenset({below}),
        wrapped=frozenset({"why"}),
    )
    return Table(
        columns=("#", "account", "used", *score, "why"),
        rows=tuple(rows),
        clipped=frozenset({"account"}),
        wrapped=frozenset({"why"}),
        narrow=narrow,
    )


# --- working: what was -----------------------------------------------------------------------------------------------


def told(found: Sequence[Decision], now: float, width: int, turns: Sequence[TurnRecord | None] = ()) -> Result:
    """What was decided for these requests, the newest first, with what the ledger has of each if that is known."""
    if not found:
        return Result(NO_REQUEST, {"requests": []})
    both = list(zip(found, turns or [None] * len(found), strict=True))
    lines = [line for each, turn in both for line in _request(each, turn, now, width)]
    return Result("\n".join(lines), {"requests": [decision_data(each) | _asker_data(turn) for each, turn in both]})


def _asker_data(turn: TurnRecord | None) -> dict[str, object]:
    if turn is None:
        return {"person": "", "client_key": "", "project": ""}
    return {"person": turn.person, "client_key": turn.client_key, "project": turn.project}


def _asker(turn: TurnRecord | None) -> str:
    """Who asked, and for which project."""
    if turn is None:
        return ""
    who = turn.person or ("" if turn.client_key == LOCAL else turn.client_key)
    return plain(" in ".join(filter(None, (who, turn.project))) if who else turn.project)


def _request(each: Decision, turn: TurnRecord | None, now: float, width: int) -> list[str]:
    record = each.record
    parts = (
        clock_time(each.at, now),
        _asker(turn),
        plain(record.model),
        f"{plain(record.done)}{_ruled(record.rule)} after {record.seconds:.1f} s",
        f"thread {plain(each.thread)}" if each.thread else "",
    )
    lines = wrapped("", "  ".join(filter(None, parts)), width, 7)
    for number, attempt in enumerate(record.attempts, 1):
        said = f" ({attempt.detail})" if attempt.detail else ""
        outcome = f"{attempt.kind.replace('_', ' ')}{said} after {attempt.seconds:.1f} s"
        text = plain(f"{attempt.account}, because {attempt.why}: {outcome}", 600)
        lines += wrapped(f"  {number}  ", text, width, 5)
    return lines


def _ruled(rule: str) -> str:
    """The rule of the pool's owner that has refused a request, in words."""
    return f" ({plain(rule.replace('_', ' '))})" if rule else ""

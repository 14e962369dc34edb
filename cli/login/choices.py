"""Which of a person's workspaces a login is to be for: what is shown, asked and told about it."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from accounts.logins.auth_file import Login
from accounts.logins.import_formats import same_seat
from accounts.logins.workspaces import Workspace
from accounts.model import Account
from cli.ui.asking import Asker
from cli.ui.render import in_text
from cli.ui.result import Table

TRIES: Final = 3
"""How often somebody at a terminal may answer the same question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seats:
    """The workspaces of one login. `own` is the one its tokens are for, `pooled` has the ids of those that the pool
    knows of the same person."""

    listed: tuple[Workspace, ...]
    own: Workspace
    pooled: frozenset[str]


def seats_of(listed: tuple[Workspace, ...], login: Login, accounts: Sequence[Account]) -> Seats | None:
    """None when the login's own workspace is not among those listed."""
    own = next((each for each in listed if each.account_id == login.account.account_id), None)
    if own is None:
        return None
    seats = {each.account_id: replace(login.account, account_id=each.account_id) for each in listed}
    pooled = {name for name, seat in seats.items() if any(same_seat(known, seat) for known in accounts)}
    return Seats(listed=listed, own=own, pooled=frozenset(pooled))


def choose(seats: Seats, who: Asker, say: Callable[[str], None]) -> Workspace:
    """The one the person wants; the login's own if they do not say, or nothing that can be understood."""
    count, own = len(seats.listed), seats.listed.index(seats.own) + 1
    numbers = {str(number): each for number, each in enumerate(seats.listed, 1)} | {"": seats.own}
    say(f"You have {count} workspaces; an account of the pool is for one of them:\n\n{in_text(_table(seats))}\n")
    for _ in range(TRIES):
        chosen = numbers.get(who.answer(f"Which one is it to be? A number, or Enter for {own}:"))
        if chosen is not None:
            return chosen
        say(f"That is not a number from 1 to {count}.")
    say(f"It stays with {own}, {called(seats.own)}.")
    return seats.own


def other_workspaces(seats: Seats) -> tuple[str, ...]:
    """A note for each workspace that this login is not for, with the command that gets it."""
    return tuple(_note(each, each.account_id in seats.pooled) for each in seats.listed if each is not seats.own)


def called(workspace: Workspace) -> str:
    """A workspace in a sentence."""
    details = ", ".join(filter(None, (workspace.plan, workspace.account_id)))
    return f"{_title(workspace)} ({details})"


def _note(workspace: Workspace, pooled: bool) -> str:
    what = "which is in the pool already. To renew it" if pooled else "which was not added. To add it"
    command = f"codex-rotate login --workspace {shlex.quote(workspace.account_id)}"
    return f"You have another workspace, {called(workspace)}, {what}: `{command}`"


def _title(workspace: Workspace) -> str:
    return workspace.name or ("personal" if workspace.structure == "personal" else "unnamed")


def _table(seats: Seats) -> Table:
    rows = tuple(
        (str(number), _title(each), each.plan, each.account_id, _marks(seats, each))
        for number, each in enumerate(seats.listed, 1)
    )
    return Table(columns=("#", "workspace", "plan", "id", "is"), rows=rows, clipped=frozenset({"workspace"}))


def _marks(seats: Seats, workspace: Workspace) -> str:
    marks = {"this login": workspace is seats.own, "in the pool": workspace.account_id in seats.pooled}
    return ", ".join(mark for mark, is_so in marks.items() if is_so)

"""`notify`: tries how the owner is told what happens to the pool."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.ui.options import AsJson
from cli.ui.result import Result, Table
from config import clock, paths
from config.errors import RotateError
from config.notify import NoticeKind

if TYPE_CHECKING:
    from addons.notify.delivery import DeliveryReport
    from config.notify import NotifySettings


class NobodyToTell(RotateError):
    exit_code = 3

    def __init__(self) -> None:
        super().__init__(
            f"Nobody is told anything: {paths.config_file()} has no table [notify]. Add one with `command` or "
            "`webhook`; `codex-rotate config explain notify` tells what else it may have."
        )


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(help="How you are told what happens to the pool: a command or a webhook, in config.toml.")
    group.command("test")(try_command)
    app.add_typer(group, name="notify")


# --- parsing ---------------------------------------------------------------------------------------------------------


def try_command(
    *,
    event: Annotated[NoticeKind | None, typer.Option("--event", help="Only this one.")] = None,
    as_json: AsJson = False,
) -> Result:
    """Send one of each kind of notice, marked as a test, and say what came back. Quiet hours do not count.

    Exit code 1 when one of them did not arrive, 3 when the settings name nobody to tell.
    """
    from config import settings  # late: msgspec

    wanted = settings.load().notify
    if wanted is None:
        raise NobodyToTell
    kinds = [event] if event is not None else [each for each in NoticeKind if each in wanted.events]
    return send_tests(wanted, kinds, clock.now())


# --- working ---------------------------------------------------------------------------------------------------------


def send_tests(settings: "NotifySettings", kinds: list[NoticeKind], now: float) -> Result:
    """Tell one of each of these by every way that there is, one after the other."""
    import asyncio

    from accounts.notices.notice import sample
    from addons.notify.delivery import COMMAND, deliver

    places = {COMMAND: settings.program}

    async def send() -> list[tuple[NoticeKind, list["DeliveryReport"]]]:
        return [(kind, await deliver(settings, sample(kind, now), now, test=True)) for kind in kinds]

    told = [(kind, each) for kind, answers in asyncio.run(send()) for each in answers]
    failed = sum(not each.reached for _, each in told)
    rows = tuple((str(kind), places.get(each.way, settings.place), each.said) for kind, each in told)
    table = Table(columns=("event", "to", "what came back"), rows=rows, wrapped=frozenset({"to", "what came back"}))
    data = [
        {"event": str(kind), "way": each.way, "to": row[1], "reached": each.reached, "said": each.said}
        for (kind, each), row in zip(told, rows, strict=True)
    ]
    message = f"{failed} of {len(told)} did not arrive." if failed else "All of them have arrived."
    return Result(message, {"sent": data}, exit_code=1 if failed else 0, table=table)

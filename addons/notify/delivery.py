"""Tells one occurrence by each of the ways that the settings name, at the same time."""

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any, Final, NamedTuple

from accounts.notices.notice import as_body, notice
from accounts.notices.occurrences import Occurrence
from addons.notify.command import run_command
from addons.notify.webhook import post
from addons.redaction.masking import masked_text
from addons.redaction.patterns import IN_LOGS
from config.notify import NotifySettings

COMMAND: Final = "command"
WEBHOOK: Final = "webhook"


class DeliveryReport(NamedTuple):
    """How it went by one way: in words, without any secret."""

    way: str
    reached: bool
    said: str


def ways_of(settings: NotifySettings) -> tuple[str, ...]:
    """Every way by which somebody is told."""
    return (*((COMMAND,) if settings.command else ()), *((WEBHOOK,) if settings.webhook else ()))


async def deliver(
    settings: NotifySettings, told: Occurrence, now: float, *, test: bool = False, but: Collection[str] = ()
) -> list[DeliveryReport]:
    """Tell it by every way `but` these. Never raises for what goes wrong outside."""
    body = as_body(notice(told, test=test))
    ways = [each for each in ways_of(settings) if each not in but]
    work = (run_command(settings.command, body) if way == COMMAND else post(settings, body, now) for way in ways)
    answers = await asyncio.gather(*map(_answered, work))
    return [DeliveryReport(way, ok, masked_text(said, IN_LOGS)) for way, (ok, said) in zip(ways, answers, strict=True)]


async def _answered(work: Coroutine[Any, Any, tuple[bool, str]]) -> tuple[bool, str]:
    """Whatever goes wrong by one way, the other one is not to suffer, and the attempt counts as one."""
    try:
        return await work
    except Exception as e:  # noqa: BLE001 - told to whoever looks, and tried again
        return False, f"it failed ({type(e).__name__})"

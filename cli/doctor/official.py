"""`doctor`: the official client's own look at the network, led through our proxy."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cli.doctor.client import asked, here
from cli.doctor.finding import Finding, Findings, Severity, note, ok
from cli.doctor.probe import Reached
from cli.running import processes, proxies
from cli.running.client_command import environment

ARGUMENTS: Final = ("doctor", "--network-only", "--json")
NEEDED: Final = "--network-only"
SECONDS: Final = 60.0
LONGEST: Final = 300
"""Characters of somebody else's sentence."""
_STATES: Final = {"fail": Severity.PROBLEM, "warning": Severity.WARNING, "warn": Severity.WARNING, "ok": Severity.OK}


@dataclass(frozen=True, slots=True)
class OfficialCheck:
    """One of its checks, in its own words."""

    name: str
    status: str
    summary: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Official:
    """`there`: whether this client has such a command; `trouble`: why it told nothing."""

    there: bool = True
    trouble: str = ""
    checks: tuple[OfficialCheck, ...] = ()


# --- facts -----------------------------------------------------------------------------------------------------------


def gather(program: str, to: Reached, environ: Mapping[str, str]) -> Official:
    """Run it with the environment that `run` gives a client. It spends no quota."""
    if NEEDED not in asked([program, "doctor", "--help"], environ):  # an older one would take the word for a prompt
        return Official(there=False)
    led = environment(proxies.address(to.presence.url, to.key), to.presence, environ)
    try:
        done = processes.run([program, *ARGUMENTS], led, here(), SECONDS)
    except (OSError, ValueError) as e:
        return Official(trouble=f"it cannot be run ({type(e).__name__})")
    if done.code is None:
        return Official(trouble=f"it did not come to an end in {SECONDS:.0f} s")
    return read(done.out)


def read(said: str) -> Official:
    """Its JSON. Of each check the summary and the remedy are taken; the details may say more than is ours to show."""
    try:
        checks = json.loads(said)["checks"]
        found = tuple(_check(name, each) for name, each in checks.items())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Official(trouble="what it says cannot be read")
    return Official(checks=found)


def _check(name: str, told: Mapping[str, Any]) -> OfficialCheck:
    return OfficialCheck(_plain(name), _plain(told["status"]), _plain(told["summary"]), _plain(told.get("remediation")))


def _plain(text: object) -> str:
    """One line, not too long, that a terminal can be trusted with."""
    words = " ".join(text.split()) if isinstance(text, str) else ""
    return "".join(each for each in words if each.isprintable())[:LONGEST]


# --- judgement -------------------------------------------------------------------------------------------------------


def checks(found: Official | None) -> Findings:
    if found is None:
        return
    if not found.there:
        yield note("client.doctor", "This client has no `codex doctor --network-only`, so it was not asked itself.")
    elif found.trouble:
        yield note("client.doctor", f"`codex doctor --network-only` told nothing: {found.trouble}.")
    wrong = [each for each in found.checks if each.status != "ok"]
    for each in wrong:
        remedy = each.remedy or "Run `codex doctor --network-only` for its details."
        state = _STATES.get(each.status, Severity.NOTE)
        yield Finding(
            name=f"client.doctor.{each.name}", state=state, what=f"The client says: {each.summary}.", remedy=remedy
        )
    if found.checks and not wrong:
        yield ok(
            "client.doctor", f"The client's own network checks, {len(found.checks)} of them, pass through the proxy."
        )

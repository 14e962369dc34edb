"""`doctor`: the client's own `.env`, which goes before every environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from certs.environment import bypasses
from cli.doctor.finding import Findings, Severity, note, ok, problem, told, warning
from cli.doctor.network import At, LedTo, Trust, leads, led_by, trust
from cli.running.binding import Damaged, FileUnusable, OpenQuote, read, unbind, unbound
from config import dotenv, paths

UNBIND: Final = "`codex-rotate unbind`"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnLine:
    """A line of the user's that sets something which the block sets too; `last` if it comes after the block."""

    line: int
    name: str
    last: bool = False
    led: LedTo | None = None
    bypassing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dotenv:
    """`led`, `trust` and `bypassing` are of our block; without a block they are empty."""

    file: Path
    trouble: str = ""
    led: LedTo | None = None
    trust: Trust | None = None
    bypassing: tuple[str, ...] = ()
    own: tuple[OwnLine, ...] = ()

    @property
    def dead(self) -> bool:
        """Bound to where nothing is."""
        return self.led is not None and not self.led.trouble and self.led.at is At.NOTHING


# --- facts -----------------------------------------------------------------------------------------------------------


def gather(environ: Mapping[str, str]) -> Dotenv:
    """What the file says."""
    file = paths.codex_dotenv_file(environ)
    try:
        content = read(file)
        return _read(file, content, environ)
    except dotenv.DamagedBlock as e:
        return Dotenv(file=file, trouble=str(Damaged(file, e)))
    except FileUnusable as e:
        return Dotenv(file=file, trouble=str(e))


def _read(file: Path, content: bytes | None, environ: Mapping[str, str]) -> Dotenv:
    block = dotenv.block_values(content)
    line = dotenv.open_quote(content)
    if line is not None and block:
        return Dotenv(file=file, trouble=str(OpenQuote(file, line)))
    led = led_by("its block", block["HTTPS_PROXY"], environ) if "HTTPS_PROXY" in block else None
    bundle = block.get("SSL_CERT_FILE", "")
    return Dotenv(
        file=file,
        led=led,
        trust=trust("SSL_CERT_FILE", bundle, led, environ) if bundle else None,
        bypassing=bypasses(block.get("NO_PROXY", "")),
        own=_own(content, environ),
    )


def _own(content: bytes | None, environ: Mapping[str, str]) -> tuple[OwnLine, ...]:
    starts = [
        n for n, line in enumerate((content or b"").split(b"\n"), 1) if line.lstrip().startswith(b"# >>> codex-rotate")
    ]
    found = []
    for each in dotenv.assignments(content):
        name, last = each.name.upper(), bool(starts) and each.line > starts[0]
        if name == "HTTPS_PROXY" and each.value:
            found.append(OwnLine(line=each.line, name=each.name, last=last, led=led_by(each.name, each.value, environ)))
        elif name == "NO_PROXY" and bypasses(each.value):
            found.append(OwnLine(line=each.line, name=each.name, last=last, bypassing=bypasses(each.value)))
        elif name == "SSL_CERT_FILE" and last:
            found.append(OwnLine(line=each.line, name=each.name, last=True))
    return tuple(found)


# --- judgement -------------------------------------------------------------------------------------------------------


def block(found: Dotenv) -> Findings:
    if found.trouble:
        yield told("dotenv.file", found.trouble)
    elif found.led is None:
        if not found.own:
            yield ok("dotenv.block", "No client is bound to a proxy by its .env.")
    else:
        yield from _bound(found, found.led)


def _bound(found: Dotenv, led: LedTo) -> Findings:
    what = f"{found.file} leads every client of this user to {led.place}"
    match led.at:
        case _ if led.trouble:
            yield problem("dotenv.block", f"{found.file} holds an address that cannot be used.", f"Run {UNBIND}.")
        case At.OURS:
            yield ok("dotenv.block", f"{what}, {led.whose}.")
        case At.OTHER_POOL:
            yield warning(
                "dotenv.block", f"{what}, a codex-rotate with another pool.", "Run `codex-rotate bind` again."
            )
        case At.SOMETHING:
            remedy = f"End what has that port and run `codex-rotate serve`, or run {UNBIND}."
            yield problem("dotenv.block", f"{what}, where something answers that is no codex-rotate.", remedy)
        case At.NOTHING:
            remedy = f"Run `codex-rotate serve`, or {UNBIND}; `codex-rotate doctor --fix` unbinds."
            yield problem("dotenv.block", f"{what}, where no proxy answers: none of them reaches anything.", remedy)
    if found.bypassing:
        what = f"NO_PROXY in the block of {found.file} has {', '.join(found.bypassing)}: clients go past the proxy."
        yield problem("dotenv.no_proxy", what, "Take that out of your NO_PROXY, then run `codex-rotate bind` again.")
    if found.trust is not None and not (found.trust.readable and found.trust.ours):
        state = "does not have the certificate of the proxy" if found.trust.readable else "cannot be read"
        what = f"{found.trust.file}, which bound clients are to trust, {state}."
        yield problem("dotenv.certificate", what, "Run `codex-rotate bind` again, then restart the clients.")


def own(found: Dotenv) -> Findings:
    """Lines of the user's: they go before every environment too, also before that of `run`."""
    for each in found.own:
        where = f"{found.file}, line {each.line}, sets {each.name}"
        if each.last and found.led is not None:
            what = f"{where} behind the block of codex-rotate, and the last one counts."
            yield problem("dotenv.own", what, "Take that line out, or move it before the block.")
        elif each.bypassing:
            what = f"{where} to {', '.join(each.bypassing)}, so that clients go past every proxy."
            yield problem("dotenv.own", what, "Take that line out.")
        elif each.led is not None and found.led is None:
            what = f"{where}, which goes before what `codex-rotate run` and `codex-rotate env` say."
            judge = note if each.led.at is At.OURS else warning
            yield judge("dotenv.own", what, "Take that line out; `codex-rotate bind` is the way to have one there.")
            yield from (finding for finding in leads("dotenv.own", each.led) if finding.state is Severity.PROBLEM)


# --- mending ---------------------------------------------------------------------------------------------------------


def release(found: Dotenv) -> str:
    """Take a dead block out; says so. Raises RotateError."""
    return unbound(unbind(found.file))

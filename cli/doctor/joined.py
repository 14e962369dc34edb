"""`doctor`: the proxy of somebody else that this user has joined."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from certs.errors import CaError
from cli.doctor.finding import Findings, note, ok, told
from cli.running import joined
from config.errors import RotateError


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """`place` is "" where nothing was joined; `trouble` says why it cannot be used, `certificate_trouble` what is wrong
    with what clients are told to trust."""

    place: str = ""
    name: str = ""
    trouble: str = ""
    certificate_trouble: str = ""


# --- facts -----------------------------------------------------------------------------------------------------------


def gather(environ: Mapping[str, str], now: float) -> Joined:
    """What was joined, and whether it answers."""
    try:
        invitation = joined.current(environ)
    except joined.JoinedUnusable as e:
        return Joined(place=str(joined.folder(environ)), trouble=str(e))
    if invitation is None:
        return Joined()
    found = Joined(place=invitation.place, name=invitation.name)
    try:
        presence = joined.presence(invitation, environ)
    except RotateError as e:
        return Joined(place=found.place, name=found.name, trouble=str(e))
    return Joined(place=found.place, name=found.name, certificate_trouble=_unfit(Path(presence.certificate), now))


def _unfit(file: Path, now: float) -> str:
    from certs import given  # late: cryptography

    try:
        given.checked(file.read_bytes(), now)
    except CaError as e:
        return str(e)
    except OSError as e:
        return f"{file} cannot be read ({e.strerror or e}). Run `codex-rotate join FILE` again."
    return ""


# --- judgement -------------------------------------------------------------------------------------------------------


def joins(found: Joined, *, accounts: int) -> Findings:
    """`accounts`: how many a pool of one's own has beside it."""
    if not found.place:
        return
    if found.trouble:
        yield told("joined.proxy", found.trouble)
        return
    yield ok("joined.proxy", f"You have joined the proxy at {found.place} as {found.name}, and it answers.")
    if found.certificate_trouble:
        yield told("joined.certificate", found.certificate_trouble)
    if accounts:
        what = "It goes before your own pool in `run`, `env` and `bind`."
        yield note("joined.pool", what, "`codex-rotate join --remove` is the way back to your own.")

"""The proxy of somebody else that this user has joined: kept in a folder of our home, beside a pool or without one."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from certs import bundles
from certs.folder import BUNDLE_FILE, CERTIFICATE_FILE, TOOLS_FILE
from cli.running import proxies
from cli.running.joined_answer import ask_joined
from config import access, join_file, paths
from config.errors import RotateError
from config.files import write_private
from config.join_file import BadJoinFile, Invitation
from config.proxy_files import ProxyInfo

FILE: Final = "proxy.toml"


class JoinedUnusable(RotateError):
    """`remedy` is a sentence, where it is known what refuses."""

    def __init__(self, file: Path, trouble: str, remedy: str = "") -> None:
        again = "Run `codex-rotate join FILE` again with the key file of whoever runs the proxy, or `codex-rotate join "
        super().__init__(f"{file} {trouble}. {remedy or f'{again}--remove`.'}")

    @classmethod
    def refused(cls, file: Path, what: str, error: OSError) -> Self:
        """The file, or a folder on the way to it, cannot be read or written."""
        culprit = Path(error.filename) if isinstance(error.filename, str) else file
        found = access.refusal(culprit, error.errno)
        if found is None:
            return cls(file, f"{what} ({error.strerror or error})")
        return cls(file, f"{what} ({found.of(file)})", found.remedy)


class JoinedSilent(RotateError):
    def __init__(self, invitation: Invitation) -> None:
        super().__init__(
            f"The proxy that you have joined, {invitation.place}, does not answer. Ask whoever runs it to start it, or "
            "check the network on the way; `codex-rotate join --remove` gives it up."
        )


class JoinedRefuses(RotateError):
    def __init__(self, invitation: Invitation) -> None:
        super().__init__(
            f"The proxy that you have joined, {invitation.place}, does not take the key of {invitation.name} any more. "
            "Ask whoever runs it for a new key file and run `codex-rotate join FILE` with that."
        )


class JoinedIsAnother(RotateError):
    def __init__(self, invitation: Invitation) -> None:
        super().__init__(
            f"What answers at {invitation.place} is not the codex-rotate that you have joined. Ask whoever runs the "
            "proxy for its address now, and for a new key file."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedState:
    """Where it is, the name of the key, and why it cannot be used ("": it answers)."""

    place: str
    name: str = ""
    trouble: str = ""


def folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where it is kept, with what clients of that proxy trust."""
    return paths.home(environ) / "joined"


def current(environ: Mapping[str, str] = os.environ) -> Invitation | None:
    """What this user has joined; None for nothing. Raises JoinedUnusable."""
    file = folder(environ) / FILE
    try:
        return join_file.read(file.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as e:
        raise JoinedUnusable.refused(file, "cannot be read", e) from e
    except BadJoinFile as e:
        raise JoinedUnusable(file, str(e)) from e


def known(environ: Mapping[str, str] = os.environ) -> Invitation | None:
    """The same; None as well for what cannot be used."""
    with suppress(JoinedUnusable):
        return current(environ)
    return None


def keep(invitation: Invitation, environ: Mapping[str, str] = os.environ) -> None:
    """From now on this one. Raises JoinedUnusable, and what certs/bundles.py raises."""
    place = folder(environ)
    trusted = invitation.certificate.encode()
    try:
        paths.make_private_folder(place)
        bundles.refresh(place, trusted)
        write_private(place / CERTIFICATE_FILE, trusted)
        write_private(place / FILE, join_file.written(invitation).encode())
    except OSError as e:
        raise JoinedUnusable.refused(place / FILE, "cannot be written", e) from e


def forget(environ: Mapping[str, str] = os.environ, *, bound: bool = False) -> None:
    """Give it up. `bound`: what the client's own `.env` names stays, or the client could not start any more. Raises
    JoinedUnusable."""
    place = folder(environ)
    names = [FILE, CERTIFICATE_FILE, TOOLS_FILE, *(() if bound else (BUNDLE_FILE,))]
    try:
        for name in names:
            (place / name).unlink(missing_ok=True)
    except OSError as e:
        raise JoinedUnusable.refused(place / FILE, "cannot be removed", e) from e
    with suppress(OSError):
        place.rmdir()


def presence(invitation: Invitation, environ: Mapping[str, str] = os.environ) -> ProxyInfo:
    """The proxy as it answers now, with what its clients trust here.

    Raises JoinedSilent, JoinedRefuses or JoinedIsAnother.
    """
    answer = ask_joined(invitation)
    if answer.presence is not None:
        return replace(answer.presence, url=invitation.url, certificate=str(folder(environ) / CERTIFICATE_FILE))
    if answer.status == 0:
        raise JoinedSilent(invitation)
    raise JoinedRefuses(invitation) if answer.refused else JoinedIsAnother(invitation)


def state(environ: Mapping[str, str] = os.environ) -> JoinedState | None:
    """What was joined, asked now; None for nothing."""
    try:
        invitation = current(environ)
    except RotateError as e:
        return JoinedState(place=str(folder(environ)), trouble=str(e))
    if invitation is None:
        return None
    try:
        presence(invitation, environ)
    except RotateError as e:
        return JoinedState(place=invitation.place, name=invitation.name, trouble=str(e))
    return JoinedState(place=invitation.place, name=invitation.name)


def address(invitation: Invitation, account: str = "") -> str:
    """As a client is to have it."""
    return proxies.address(invitation.url, invitation.key, account)

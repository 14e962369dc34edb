"""`ca create`, `status`, `path` and `renew`: the certificate authority that clients of the proxy trust.

`install` and `uninstall`, in the same group, are in cli/commands/setup/trust.py.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certs.environment import trusted_file
from certs.errors import CaUnfit
from cli.commands.setup import trust
from cli.running import trust_stores
from cli.running.authority import day, made, renewed
from cli.ui.options import AsJson
from cli.ui.result import Result
from config import clock, paths

if TYPE_CHECKING:  # what makes and reads certificates takes a while to load: only the commands of this group do it
    from cryptography import x509

    from certs import ca
    from certs.stores.base import TrustStore


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(help="The certificate authority of the proxy, which can vouch for the provider's hosts only.")
    group.command("create")(create_command)
    group.command("status")(status_command)
    group.command("path")(path_command)
    group.command("renew")(renew_command)
    trust.add_to(group)
    app.add_typer(group, name="ca")


# --- parsing ---------------------------------------------------------------------------------------------------------


def create_command(*, as_json: AsJson = False) -> Result:
    """Make it, where there is none yet. Nothing is installed anywhere."""
    return create_ca(paths.ca_folder(), clock.now())


def status_command(*, as_json: AsJson = False) -> Result:
    """Show what it is, whether it can be used (exit code 0 if so, 1 if not), and which trust stores trust it."""
    return ca_status(paths.ca_folder(), clock.now(), trust_stores.stores_here())


def path_command(*, as_json: AsJson = False) -> Result:
    """Print the file to trust, as in CODEX_CA_CERTIFICATE="$(codex-rotate ca path)"."""
    return ca_path(paths.ca_folder(), clock.now())


def renew_command(
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Now, even if it has more than 30 days to go or is damaged.")
    ] = False,
    leaked: Annotated[
        bool, typer.Option("--leaked", help="Now, and no client is to trust an old one any more: its key got about.")
    ] = False,
    as_json: AsJson = False,
) -> Result:
    """Make a new key and certificate when 30 days or less are left. The old certificate stays trusted until it ends."""
    return renew_ca(paths.ca_folder(), clock.now(), force=force, leaked=leaked)


# --- working ---------------------------------------------------------------------------------------------------------


def create_ca(folder: Path, now: float) -> Result:
    """Make the CA."""
    from certs import ca

    done = ca.create(folder, now)
    message = f"{made(done)}\nClients trust it with CODEX_CA_CERTIFICATE={done.trusted_file}"
    return Result(message, _did(done, now), notes=done.repairs)


def ca_status(folder: Path, now: float, stores: Sequence["TrustStore"] = ()) -> Result:
    """Everything about the CA but its key. What some store trusts is no question of whether it can be used."""
    from certs import ca

    found = ca.examine(folder, now)
    usable = found.condition is ca.CertificateCondition.USABLE
    data: dict[str, object] = {"usable": usable, "condition": str(found.condition), "trouble": found.trouble or None}
    data |= {"repairs": list(found.repairs), "key_mode": _mode(folder / ca.KEY_FILE), **_files(folder)}
    lines = [found.trouble] if found.trouble else []
    if found.certificate is not None:
        about, old = _about(found.certificate, now), ca.kept(folder, now)
        data |= about | {"old": [{"certificate": str(file), "sha256": ca.fingerprint(each)} for file, each in old]}
        lines += _lines(found.certificate, now)
        lines.append(f"key: {folder / ca.KEY_FILE}, mode {_mode(folder / ca.KEY_FILE) or 'unknown'}")
        lines += [f"replaced, and perhaps still trusted: {ca.common_name(each)}, {file}" for file, each in old]
    told, data["trusted_by"] = trust_stores.trusted_by(stores, found.certificate)
    return Result("\n".join([*lines, *told]), data, 0 if usable else 1, notes=found.repairs)


def ca_path(folder: Path, now: float) -> Result:
    """The file of what to trust, if a client that trusts it could talk to the proxy."""
    from certs import ca

    found = ca.examine(folder, now)
    if found.condition is not ca.CertificateCondition.USABLE:
        raise CaUnfit(found.trouble)
    trusted = str(trusted_file(folder))
    return Result(trusted, {"certificate": trusted}, notes=found.repairs, verbatim=True)


def renew_ca(folder: Path, now: float, *, force: bool, leaked: bool = False) -> Result:
    """Replace the CA when that is due, or asked for."""
    from certs import ca

    done = ca.renew(folder, now, force=force, leaked=leaked)
    kept = f"\nThe old certificate is kept: {done.old}" if done.action is ca.CaAction.RENEWED and done.old else ""
    return Result(f"{renewed(done, now)}{kept}", _did(done, now), notes=done.repairs)


# --- showing ---------------------------------------------------------------------------------------------------------


def _lines(certificate: "x509.Certificate", now: float) -> list[str]:
    from certs import ca

    permitted, excluded = ca.constraints(certificate)
    span = f"{day(certificate.not_valid_before_utc)} to {day(certificate.not_valid_after_utc)}"
    renewal = ", due for `codex-rotate ca renew`" if ca.due(certificate, now) else ""
    return [
        f"subject: {certificate.subject.rfc4514_string()}",
        f"SHA-256: {ca.fingerprint(certificate)}",
        f"valid: {span}, days left: {max(0, ca.days_left(certificate, now))}{renewal}",
        f"can vouch for: {', '.join(permitted) or 'any host'}",
        f"never for: {', '.join(excluded) or 'nothing is excluded'}",
    ]


def _did(done: "ca.CaChange", now: float) -> dict[str, object]:
    old = str(done.old) if done.old is not None else None
    return {"action": str(done.action), "old": old, **_files(done.folder), **_about(done.certificate, now)}


def _files(folder: Path) -> dict[str, object]:
    from certs import ca

    return {"confdir": str(folder), "certificate": str(folder / ca.CERTIFICATE_FILE)}


def _about(certificate: "x509.Certificate", now: float) -> dict[str, object]:
    from certs import ca

    permitted, excluded = ca.constraints(certificate)
    return {
        "subject": certificate.subject.rfc4514_string(),
        "sha256": ca.fingerprint(certificate),
        "valid_from": certificate.not_valid_before_utc.timestamp(),
        "valid_until": certificate.not_valid_after_utc.timestamp(),
        "days_left": max(0, ca.days_left(certificate, now)),
        "renewal_due": ca.due(certificate, now),
        "permitted": list(permitted),
        "excluded": list(excluded),
    }


def _mode(file: Path) -> str | None:
    """As `chmod` writes it; None where there is no such file, or no such modes."""
    if os.name != "posix" or not file.exists():
        return None
    return f"{stat.S_IMODE(file.stat().st_mode):04o}"

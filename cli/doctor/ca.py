"""`doctor`: the certificate authority, and which trust stores of this machine know it."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from certs.errors import CaError
from cli.doctor.finding import Findings, Severity, note, ok, problem, told, warning
from config import paths

USABLE = "usable"
"""certs.examining.CertificateCondition, whose module takes a while to load."""
MISSING = "missing"
MENDABLE = frozenset({MISSING, "copy_differs", "expired"})
"""What `--fix` mends; the rest is for a person to decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusting:
    """A trust store: whether it trusts the present one (None: it cannot be read) and how many others of ours."""

    place: str
    trusts: bool | None
    others: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ca:
    """`condition` is a word of certs.examining.CertificateCondition; "" when the folder could not be looked at."""

    folder: Path
    condition: str = USABLE
    trouble: str = ""
    days_left: int = 365
    due: bool = False
    can_vouch_for: tuple[str, ...] = ()
    key_mode: int | None = None
    repaired: tuple[str, ...] = ()
    stores: tuple[Trusting, ...] = ()

    @property
    def usable(self) -> bool:
        return self.condition == USABLE


# --- facts -----------------------------------------------------------------------------------------------------------


def gather(environ: Mapping[str, str], now: float) -> Ca:
    """What is there. As whenever the CA is looked at, a key that others could read is closed to them."""
    from certs import ca  # late: cryptography

    folder = paths.ca_folder(environ)
    try:
        found = ca.examine(folder, now)
    except CaError as e:
        return Ca(folder=folder, condition="", trouble=str(e))
    known = Ca(folder=folder, condition=str(found.condition), trouble=found.trouble, repaired=found.repairs)
    if found.certificate is None:
        return known
    return Ca(
        folder=folder,
        condition=known.condition,
        trouble=known.trouble,
        repaired=known.repaired,
        days_left=ca.days_left(found.certificate, now),
        due=ca.due(found.certificate, now),
        can_vouch_for=ca.constraints(found.certificate)[0],
        key_mode=_mode(folder / ca.KEY_FILE),
        stores=_stores(found.certificate) if known.usable else (),
    )


def _stores(certificate: object) -> tuple[Trusting, ...]:
    from cryptography import x509

    from cli.running import trust_stores

    assert isinstance(certificate, x509.Certificate)
    _, rows = trust_stores.trusted_by(trust_stores.stores_here(), certificate)
    found = []
    for row in rows:
        trusts, others = row["trusted"], row["others"]
        known = trusts if isinstance(trusts, bool) else None
        found.append(
            Trusting(place=str(row["place"]), trusts=known, others=len(others) if isinstance(others, list) else 0)
        )
    return tuple(found)


def _mode(file: Path) -> int | None:
    """None where there is no such file, or no such modes."""
    try:
        return stat.S_IMODE(file.stat().st_mode) if os.name == "posix" else None
    except OSError:
        return None


# --- judgement -------------------------------------------------------------------------------------------------------


def usable(ca: Ca) -> Findings:
    for sentence in ca.repaired:
        what, _, remedy = sentence.partition(" If somebody")
        yield warning("ca.modes", what, f"If somebody{remedy}" if remedy else "Nothing is left to be done.")
    if not ca.usable:
        state = Severity.NOTE if ca.condition == MISSING else Severity.PROBLEM
        yield told("ca.usable", ca.trouble, state)  # a missing one is made by whatever starts a proxy
        return
    hosts = " and ".join(ca.can_vouch_for)
    mode = f"; its key has mode {ca.key_mode:04o}" if ca.key_mode is not None else ""
    what = f"The CA can be used and can vouch for {hosts} only{mode}."
    if ca.can_vouch_for:
        yield ok("ca.usable", what)
    else:
        yield problem("ca.usable", "The CA could vouch for any host.", "Run `codex-rotate ca renew --force`.")


def expiry(ca: Ca) -> Findings:
    if not ca.usable:
        return
    if ca.due:
        what = f"The CA is valid for {ca.days_left} more days and due for renewal."
        yield warning("ca.expiry", what, "Run `codex-rotate ca renew`, then restart proxies and clients.")
    else:
        yield ok("ca.expiry", f"The CA is valid for {ca.days_left} more days.")


def stores(ca: Ca) -> Findings:
    """Codex needs none of them, so that none trusts it is all right."""
    trusting = [each.place for each in ca.stores if each.trusts]
    others = [each.place for each in ca.stores if each.others]
    if trusting:
        yield note("ca.stores", f"The CA is trusted by {', '.join(trusting)}.")
    elif ca.usable:
        yield ok("ca.stores", "No trust store of this machine knows the CA, and Codex needs none.")
    if others:
        what = f"A CA of codex-rotate that is no longer in use is trusted by {', '.join(others)}."
        yield warning("ca.stores", what, "Run `codex-rotate ca uninstall`.")

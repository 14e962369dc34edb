"""`doctor --fix` and `fix`: what can be mended without losing anything. No login, no account and no trust store is
touched."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from cli.doctor import ca as doctor_ca
from cli.doctor import dotenv, proxies, storage
from cli.doctor.checks import Facts
from cli.running import authority as authorities
from config.errors import RotateError


@dataclass(frozen=True, slots=True)
class Repair:
    """One thing to mend. `what` is a sentence about it, `do` mends it and gives a sentence about what was done, "" when
    there was nothing to do any more. It raises RotateError or OSError."""

    what: str
    do: Callable[[], str]


def modes(facts: Facts) -> Iterator[Repair]:
    for found in facts.storage.loose:
        what = f"{found.path} is open to others ({found.mode:04o}) and would be closed to them ({found.wanted:04o})."
        yield Repair(what, partial(storage.close, found))


def authority(facts: Facts) -> Iterator[Repair]:
    """A missing one, one that is due, and a certificate for clients that is not the present one."""
    from certs import ca as certs_ca  # late: cryptography

    ca = facts.ca
    if ca.condition == "missing":
        what = f"A CA would be made in {ca.folder}: there is none."
        yield Repair(what, lambda: authorities.made(certs_ca.create(ca.folder, facts.now)))
    elif ca.condition in doctor_ca.MENDABLE or (ca.usable and ca.due):
        why = "it is due" if ca.usable else ca.trouble.partition(". ")[0].rstrip(".")
        what = f"The CA in {ca.folder} would be renewed: {why}."
        yield Repair(what, lambda: authorities.renewed(certs_ca.renew(ca.folder, facts.now, force=False), facts.now))


def binding(facts: Facts) -> Iterator[Repair]:
    if facts.dotenv.dead:
        what = (
            f"The block of `codex-rotate bind` would be taken out of {facts.dotenv.file}: it leads to where nothing is."
        )
        yield Repair(what, partial(dotenv.release, facts.dotenv))


def leftovers(facts: Facts) -> Iterator[Repair]:
    for file in facts.proxies.stale:
        yield Repair(f"{file} would be removed: its proxy is gone.", partial(proxies.forget, file))


FIXES: Final = (modes, authority, binding, leftovers)
"""One row per kind of repair."""


def due(facts: Facts) -> list[Repair]:
    """Everything there is to mend."""
    return [repair for fix in FIXES for repair in fix(facts)]


def mend(repairs: Iterable[Repair]) -> tuple[list[str], list[str]]:
    """Do all of it. What was done, and what failed, each as sentences."""
    done, failed = [], []
    for repair in repairs:
        try:
            done.append(repair.do())
        except RotateError as e:
            failed.append(str(e))
        except OSError as e:
            failed.append(f"{e.filename or 'A file'} could not be mended ({e.strerror or e}). Check who owns it.")
    return [sentence for sentence in done if sentence], failed

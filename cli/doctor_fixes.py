"""`doctor --fix`: what can be mended without losing anything. No login, no account and no trust store is touched."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from accounts.errors import RotateError
from certs.errors import CaError
from cli import ca_commands, doctor_ca, doctor_dotenv, doctor_proxies, doctor_storage
from cli.doctor_checks import Facts
from cli.result import Result

type Repair = Callable[[], str]
"""Does one thing and says so in a sentence. Raises RotateError, CaError or OSError."""


def modes(facts: Facts) -> Iterator[Repair]:
    for found in facts.storage.loose:
        yield partial(doctor_storage.close, found)


def authority(facts: Facts) -> Iterator[Repair]:
    """A missing one, one that is due, and a certificate for clients that is not the present one."""
    ca = facts.ca
    if ca.condition == "missing":
        yield lambda: _first(ca_commands.create_ca(ca.folder, facts.now))
    elif ca.condition in doctor_ca.MENDABLE or (ca.usable and ca.due):
        yield lambda: _first(ca_commands.renew_ca(ca.folder, facts.now, force=False))


def _first(result: Result) -> str:
    return result.message.partition("\n")[0]


def binding(facts: Facts) -> Iterator[Repair]:
    if facts.dotenv.dead:
        yield partial(doctor_dotenv.release, facts.dotenv)


def leftovers(facts: Facts) -> Iterator[Repair]:
    for file in facts.proxies.stale:
        yield partial(doctor_proxies.forget, file)


FIXES: Final = (modes, authority, binding, leftovers)
"""One row per kind of repair."""


def mend(facts: Facts) -> tuple[list[str], list[str]]:
    """Do all of it. What was done, and what failed, each as sentences."""
    done, failed = [], []
    for fix in FIXES:
        for repair in fix(facts):
            try:
                done.append(repair())
            except (RotateError, CaError) as e:
                failed.append(str(e))
            except OSError as e:
                failed.append(f"{e.filename or 'A file'} could not be mended ({e.strerror or e}). Check who owns it.")
    return done, failed

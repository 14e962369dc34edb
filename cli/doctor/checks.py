"""`doctor`: all facts, and the table of what is judged by them.

A new check is a function that takes facts and yields findings, and a row in CHECKS. What it needs to know and nobody
has gathered yet goes into the facts of its module: gathering may wait and may fail, judging never does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from accounts.errors import NoAccounts
from accounts.store.schema import explained
from accounts.store.store import Store
from cli.doctor import accounts, daemon, network, outcomes
from cli.doctor import ca as doctor_ca
from cli.doctor import client as doctor_client
from cli.doctor import dotenv as doctor_dotenv
from cli.doctor import joined as doctor_joined
from cli.doctor import ledger as doctor_ledger
from cli.doctor import official as doctor_official
from cli.doctor import probe as doctor_probe
from cli.doctor import program as doctor_program
from cli.doctor import proxies as doctor_proxies
from cli.doctor import storage as doctor_storage
from cli.doctor.finding import Finding, Findings
from config import access, paths
from config.errors import RotateError


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that is known. `pool` is None for one that cannot be opened, and empty where there is none;
    `probe` and `official` are of requests that were made, and empty before."""

    now: float
    program: doctor_program.Program
    storage: doctor_storage.Storage
    pool: accounts.PoolFacts | None
    ca: doctor_ca.Ca
    proxies: doctor_proxies.Proxies
    shell: network.ShellFacts
    dotenv: doctor_dotenv.Dotenv
    client: doctor_client.ClientFacts
    daemons: daemon.Daemons
    ledger: doctor_ledger.LedgerFacts
    joined: doctor_joined.Joined = doctor_joined.Joined()  # noqa: RUF009 - frozen
    probe: doctor_probe.Probe = doctor_probe.Probe()  # noqa: RUF009 - frozen
    official: doctor_official.Official | None = None

    @property
    def in_store(self) -> bool:
        return any(each.trusts for each in self.ca.stores)

    @property
    def accounts(self) -> int:
        return len(self.pool.seats) if self.pool is not None else 0

    @property
    def guest(self) -> bool:
        """Whether this user has joined somebody else's proxy and has no pool to look after."""
        return bool(self.joined.place) and self.pool is not None and not self.accounts

    @property
    def bound(self) -> bool:
        return self.dotenv.led is not None and self.dotenv.led.at is network.At.OURS


@dataclass(frozen=True, slots=True)
class Check:
    """`own`: it is about what a user has who has a pool, not one who has joined somebody else's proxy instead."""

    group: str
    judge: Callable[[Facts], Findings]
    own: bool = False


CHECKS: Final = (
    Check("Program", lambda f: doctor_program.versions(f.program)),
    Check("Storage", lambda f: doctor_storage.pool(f.storage)),
    Check("Storage", lambda f: doctor_storage.served(f.storage)),
    Check("Storage", lambda f: doctor_storage.disk(f.storage)),
    Check("Storage", lambda f: doctor_storage.owners(f.storage)),
    Check("Storage", lambda f: doctor_storage.modes(f.storage)),
    Check("Storage", lambda f: doctor_storage.settings(f.storage)),
    Check("Storage", lambda f: doctor_storage.backups(f.storage, f.now), own=True),
    Check("Storage", lambda f: doctor_ledger.ledger(f.ledger), own=True),
    Check("Accounts", lambda f: accounts.accounts(f.pool, f.now), own=True),
    Check("Accounts", lambda f: accounts.tokens(f.pool, f.now)),
    Check("Accounts", lambda f: accounts.shared(f.pool)),
    Check("Certificate", lambda f: doctor_ca.usable(f.ca), own=True),
    Check("Certificate", lambda f: doctor_ca.expiry(f.ca)),
    Check("Certificate", lambda f: doctor_ca.stores(f.ca)),
    Check("Proxy", lambda f: doctor_joined.joins(f.joined, accounts=f.accounts)),
    Check("Proxy", lambda f: doctor_proxies.running(f.proxies), own=True),
    Check("Proxy", lambda f: doctor_proxies.silent(f.proxies)),
    Check("Proxy", lambda f: doctor_proxies.stale(f.proxies)),
    Check("Proxy", lambda f: doctor_proxies.usual_port(f.proxies), own=True),
    Check("This shell", lambda f: network.proxy(f.shell)),
    Check("This shell", lambda f: network.no_proxy(f.shell)),
    Check("This shell", lambda f: network.certificate(f.shell, in_store=f.in_store)),
    Check("Client", lambda f: doctor_client.version(f.client)),
    Check("Client", lambda f: doctor_client.login(f.client)),
    Check("Client", lambda f: doctor_client.features(f.client)),
    Check("Client", lambda f: doctor_client.settings(f.client)),
    Check("Client", lambda f: doctor_dotenv.block(f.dotenv)),
    Check("Client", lambda f: doctor_dotenv.own(f.dotenv)),
    Check("Client", lambda f: daemon.daemons(f.daemons, bound=f.bound)),
    Check("Through the proxy", lambda f: outcomes.reached(f.probe)),
    Check("Through the proxy", lambda f: outcomes.catalogue(f.probe)),
    Check("Through the proxy", lambda f: outcomes.socket(f.probe)),
    Check("Through the proxy", lambda f: outcomes.clock(f.probe)),
    Check("Through the proxy", lambda f: doctor_official.checks(f.official)),
)
"""In the order in which they are shown; a group is shown where its first row is."""


def judged(facts: Facts) -> list[tuple[str, Finding]]:
    """Every finding with its group."""
    checks = [check for check in CHECKS if not (check.own and facts.guest)]
    return [(check.group, finding) for check in checks for finding in check.judge(facts)]


# --- facts -----------------------------------------------------------------------------------------------------------


def look(environ: Mapping[str, str], now: float) -> Facts:
    """What can be seen on this machine. Nothing is asked of the provider, and no proxy is started."""
    ca = doctor_ca.gather(environ, now)  # first: looking closes what is open, and says so itself
    pool, trouble, repaired = _pool(environ, now)
    return Facts(
        now=now,
        program=doctor_program.gather(),
        storage=doctor_storage.gather(environ, trouble, repaired),
        pool=pool,
        ca=ca,
        proxies=doctor_proxies.gather(environ),
        shell=network.gather(environ),
        dotenv=doctor_dotenv.gather(environ),
        client=doctor_client.gather(environ),
        daemons=daemon.gather(environ),
        ledger=doctor_ledger.gather(environ, now),
        joined=doctor_joined.gather(environ, now),
    )


def _pool(environ: Mapping[str, str], now: float) -> tuple[accounts.PoolFacts | None, str, tuple[str, ...]]:
    """The pool, why it cannot be opened, what opening it has closed to others. A missing one is not made."""
    file = paths.pool_file(environ)
    try:
        with explained(file):
            if not access.there(file):
                return accounts.PoolFacts(), "", ()
        with Store(file) as store:
            return accounts.gather(store, environ, now), "", store.repairs
    except RotateError as e:
        return None, str(e), ()


def try_out(facts: Facts, environ: Mapping[str, str]) -> Facts:
    """The same with what comes of real requests."""
    if hindrance := _hindrance(facts):
        return replace(facts, probe=doctor_probe.Probe(skipped=hindrance))
    client = facts.client
    version = ".".join(map(str, client.version or doctor_client.TRIED))
    try:
        with doctor_probe.reached(environ) as to:
            probe = doctor_probe.probe(to, environ, version)
            official = doctor_official.gather(client.program, to, environ) if client.program else None
    except (RotateError, OSError) as e:
        return replace(facts, probe=doctor_probe.Probe(skipped=doctor_probe.failure(e), broken=True))
    return replace(facts, probe=probe, official=official)


def _hindrance(facts: Facts) -> str:
    """Why no request can be made; the last sentence says what to do."""
    if facts.storage.trouble or facts.storage.settings_trouble:
        return "Nothing was tried: no proxy starts before what is wrong above is mended. Mend that first."
    if facts.joined.place:
        return facts.joined.trouble and "Nothing was tried: the proxy that was joined cannot be used. Mend that first."
    if facts.pool is None or not facts.pool.seats:
        return str(NoAccounts())
    if not facts.proxies.running and (not facts.ca.usable or facts.ca.due):
        what = "Nothing was tried: no proxy runs, and the CA is not as it should be for starting one."
        return f"{what} Run `codex-rotate doctor --fix`, or mend what is said of the CA above."
    return ""

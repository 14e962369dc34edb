"""`ca install` and `uninstall`: the CA in the trust stores of this machine, for programs that look nowhere else."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from accounts.errors import UsageError
from certs.errors import CaUnfit, TrustStoreError
from cli.running.trust_stores import chosen, named, this_machine
from cli.ui.asking import Asker, asker
from cli.ui.options import AsJson
from cli.ui.result import Result
from config import clock, paths

if TYPE_CHECKING:  # what reads certificates takes a while to load
    from certs.stores.base import StoreChange, TrustStore

NOT_NEEDED: Final = (
    "Codex needs no store: `codex-rotate env` and `codex-rotate bind` tell it what to trust. For other programs say "
    "which store: `codex-rotate ca install --system` (what most programs look at) or `codex-rotate ca install --nss` "
    "(Firefox and Chromium)."
)
RESTART: Final = "Programs that run see it after a restart."
RESTART_PROXIES: Final = (
    "Restart proxies that still run with the old one: what looks at this store believes them no more."
)

SystemOption = Annotated[
    bool, typer.Option("--system", help="The system's store; on macOS and Windows the user's own.")
]
NssOption = Annotated[bool, typer.Option("--nss", help="The databases of this user's Firefox and Chromium.")]


def add_to(group: typer.Typer) -> None:
    """Add both to the `ca` group."""
    group.command("install")(install_command)
    group.command("uninstall")(uninstall_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def install_command(
    *,
    system: SystemOption = False,
    nss: NssOption = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> Result:
    """Let a trust store of this machine trust the CA. Codex needs none; it is for other programs behind the proxy.

    Nothing is installed unasked, and nothing with more rights than you have.
    """
    if not system and not nss:
        raise UsageError(NOT_NEEDED)
    folder = paths.ca_folder().absolute()
    return install(folder, chosen(this_machine(), system=system, nss=nss), asker(yes=yes), clock.now())


def uninstall_command(*, system: SystemOption = False, nss: NssOption = False, as_json: AsJson = False) -> Result:
    """Take every CA of codex-rotate, replaced ones too, out of the trust stores of this machine, and nothing else.

    Without an option: out of all stores.
    """
    return uninstall(chosen(this_machine(), system=system, nss=nss))


# --- working ---------------------------------------------------------------------------------------------------------


def install(folder: Path, stores: Sequence["TrustStore"], who: Asker, now: float) -> Result:
    """Look first, ask once for everything that is left to do, do it store by store."""
    from certs import ca
    from certs.stores.registry import to_install

    found = ca.examine(folder, now)
    if found.condition is not ca.CertificateCondition.USABLE or found.certificate is None:
        raise CaUnfit(found.trouble)
    old = [each for _, each in ca.kept(folder, now)]
    report = StoreReport(found.repairs)
    changes: list[tuple[TrustStore, StoreChange]] = []
    for store in stores:
        try:
            change = to_install(store, found.certificate, folder / ca.CERTIFICATE_FILE, old)
            if change:
                store.ready(change)
                changes.append((store, change))
            else:
                report.done(
                    store, "already_trusted", f"{store.name} trusts {ca.common_name(found.certificate)} already."
                )
        except TrustStoreError as e:
            report.failed(store, e)
    names = ", ".join(str(store.place) for store, _ in changes)
    vouches = f"It can vouch for {' and '.join(ca.DOMAINS)} only."
    question = f"Let programs that look at {names} trust {ca.common_name(found.certificate)}? {vouches}"
    if changes and not who.confirm(question, "--yes"):
        return Result("Nothing was installed.", {"stores": []}, 1, notes=found.repairs)
    for store, change in changes:
        report.carry_out(store, change)
    return report.result()


def uninstall(stores: Sequence["TrustStore"]) -> Result:
    """Look first; what holds nothing of ours is left alone."""
    from certs.stores.registry import to_uninstall

    report = StoreReport()
    for store in stores:
        try:
            change = to_uninstall(store)
        except TrustStoreError as e:
            report.failed(store, e)
            continue
        if change:
            report.carry_out(store, change)
        else:
            report.done(store, "not_there", f"{store.name} holds no CA of codex-rotate.")
    return report.result() if stores else Result("There is no trust store that codex-rotate knows.", {"stores": []})


class StoreReport:
    """What became of each store. Troubles go to stderr, the rest is the answer."""

    def __init__(self, notes: Iterable[str] = ()) -> None:
        self._notes = list(notes)
        self._lines: list[str] = []
        self._rows: list[dict[str, object]] = []
        self._failed = False

    def carry_out(self, store: "TrustStore", change: "StoreChange") -> None:
        from certs.certificate import common_name, fingerprint
        from certs.stores.registry import carry_out

        try:
            carry_out(store, change)
        except TrustStoreError as e:
            self.failed(store, e)
            return
        gone = ", ".join(common_name(each) for each in change.drop)
        sentences = []
        if change.add is not None:
            sentences.append(f"{store.name} trusts {common_name(change.add)} now. {RESTART}")
        if gone:
            sentences.append(f"{gone} was removed from {store.place}.")
            sentences += [RESTART_PROXIES] if change.add is not None else []
        state = "installed" if change.add is not None else "removed"
        self.done(store, state, " ".join(sentences), [fingerprint(each) for each in change.drop])

    def done(self, store: "TrustStore", state: str, line: str, removed: Sequence[str] = ()) -> None:
        self._lines.append(line)
        self._rows.append({**named(store), "state": state, "removed": list(removed), "trouble": None})

    def failed(self, store: "TrustStore", error: TrustStoreError) -> None:
        self._failed = True
        self._notes.append(str(error))
        self._rows.append({**named(store), "state": "failed", "removed": [], "trouble": str(error)})

    def result(self) -> Result:
        return Result(
            "\n".join(self._lines), {"stores": self._rows}, 1 if self._failed else 0, notes=tuple(self._notes)
        )


# --- this machine ----------------------------------------------------------------------------------------------------

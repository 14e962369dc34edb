"""The trust stores of this machine, and which of them know the certificate authority."""

import os
import platform
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from certs.errors import TrustStoreError
from cli.running import processes

if TYPE_CHECKING:  # what reads certificates takes a while to load
    from cryptography import x509

    from certs.stores.base import Machine, TrustStore

SECONDS: Final = 120.0
"""For one command: macOS and Windows ask the person before they let an authority in."""
MORE_TOOLS: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/opt/homebrew/opt/nss/bin", "/usr/local/opt/nss/bin")
"""Where the tools of a store may be while the user's PATH does not lead there."""


def chosen(machine: "Machine", *, system: bool, nss: bool) -> list["TrustStore"]:
    """The stores that were asked for, all of them if none was. Raises NoStore for what this system does not have."""
    from certs.stores import registry

    if not system and not nss:
        return registry.all_stores(machine)
    return [*([registry.system_store(machine)] if system else []), *(registry.nss_stores(machine) if nss else [])]


def stores_here() -> list["TrustStore"]:
    """Every store of this machine."""
    return chosen(this_machine(), system=False, nss=False)


def trusted_by(
    stores: Iterable["TrustStore"], certificate: "x509.Certificate | None"
) -> tuple[list[str], list[dict[str, object]]]:
    """For `ca status`: which store trusts this one, and which another one of ours. Lines and the same as data."""
    from certs.certificate import common_name, fingerprint

    lines, rows, trusting = [], list[dict[str, object]](), []
    for store in stores:
        try:
            held = [each.certificate for each in store.check() if each.trusted]
        except TrustStoreError as e:  # a tool is missing: that is no trouble of the CA
            rows.append({**named(store), "trusted": None, "others": [], "trouble": str(e)})
            lines.append(f"not known whether trusted by {store.place}. {e}")
            continue
        others = [each for each in held if each != certificate]
        rows.append(
            {
                **named(store),
                "trusted": certificate in held,
                "others": [fingerprint(each) for each in others],
                "trouble": None,
            }
        )
        trusting += [str(store.place)] if certificate in held else []
        remedy = "`codex-rotate ca uninstall` takes it out"
        lines += [f"not this one, but trusted by {store.place}: {common_name(each)}; {remedy}" for each in others]
    if certificate is not None:
        readable = " that can be read" if any(row["trusted"] is None for row in rows) else ""
        nobody = f"no store of this machine{readable}; Codex needs none"
        lines.insert(0, f"trusted by: {', '.join(trusting) or nobody}")
    return lines, rows


def named(store: "TrustStore") -> dict[str, object]:
    return {"store": str(store.kind), "place": str(store.place)}


def this_machine() -> "Machine":
    """What the stores have to know, and what runs their commands."""
    from certs.stores.base import Machine

    search = os.pathsep.join([os.environ.get("PATH", os.defpath), *MORE_TOOLS])
    env = {**os.environ, "PATH": search, "LC_ALL": "C"}
    top = Path(Path.home().anchor)  # unlike the present folder it is always there

    def run(argv: Sequence[str]) -> processes.Finished:
        try:
            return processes.run(argv, env, top, SECONDS)
        except OSError as e:  # gone since it was looked for, or not for us to run
            return processes.Finished(127, "", e.strerror or str(e))

    return Machine(
        system=sys.platform,
        home=Path.home(),
        run=run,
        find=lambda name: shutil.which(name, path=search),
        release=_release(),
        root=getattr(os, "geteuid", lambda: -1)() == 0,
        windows_roots=_windows_roots,
    )


def _release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def _windows_roots() -> Iterable[bytes]:
    found: list[bytes] = []
    if sys.platform == "win32":
        import ssl

        found += [der for der, encoding, _ in ssl.enum_certificates("ROOT") if encoding == "x509_asn"]
    return found

"""`ca install` and `uninstall`: never unasked, never with more rights than given, and always told as it is."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from certs import ca
from certs.errors import CaUnfit, NoStore
from certs.stores.base import Machine
from certs.stores.linux import DISTRIBUTIONS
from cli.commands.setup.ca import ca_status
from cli.commands.setup.trust import install, uninstall
from cli.running.trust_stores import chosen
from cli.ui.asking import SaidYes
from cli.ui.result import Result
from config import clock
from tests.certs.machines import fails, linux, recorded, why_not

type Run = Callable[..., Any]

ROOT: Final = Path(__file__).resolve().parents[4]
DEBIAN = DISTRIBUTIONS[0]
YES = SaidYes()

posix = pytest.mark.skipif(os.name != "posix", reason="the made-up machine is a Linux")
private = pytest.mark.skipif(bool(why_not()), reason=why_not())


class Person(SaidYes):
    """Somebody at the terminal who reads the question."""

    def __init__(self, *, says: bool) -> None:
        self.says = says
        self.read: list[str] = []

    def confirm(self, question: str, option: str) -> bool:
        self.read.append(question)
        return self.says


@pytest.fixture
def now() -> float:
    return float(int(clock.now()))


@pytest.fixture
def folder(home: Path) -> Path:
    return home / "ca"


@pytest.fixture
def made(folder: Path, now: float) -> ca.CaChange:
    return ca.create(folder, now)


@pytest.fixture
def debian(tmp_path: Path) -> Machine:
    return linux(tmp_path / "machine", DEBIAN)


def rows(result: Result) -> list[dict[str, Any]]:
    assert isinstance(result.data, dict)
    found = result.data["stores"]
    assert isinstance(found, list)
    return found


def system(machine: Machine) -> list[Any]:
    return chosen(machine, system=True, nss=False)


def with_browser(machine: Machine, content: bytes = b"") -> Machine:
    folder = machine.home / ".pki/nssdb"
    folder.mkdir(parents=True)
    (folder / "cert9.db").write_bytes(content)
    return machine


# --- asking ----------------------------------------------------------------------------------------------------------


def test_install_says_that_codex_needs_none_and_asks_which(run: Run, home: Path) -> None:
    """Wrong usage, also where no CA is yet. Nothing is made by asking."""
    ran = run("ca", "install", "--yes")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "Codex needs no store" in ran.err
    assert "--system" in ran.err
    assert "--nss" in ran.err
    assert run("ca", "install", "--json").json["exit_code"] == 2
    assert not home.exists()


@posix
def test_a_person_is_asked_once_for_what_is_left_to_do(
    folder: Path, made: ca.CaChange, debian: Machine, now: float
) -> None:
    """The question says what the CA can do and where it is to go."""
    person = Person(says=False)
    said = install(folder, system(debian), person, now)
    assert (said.message, said.exit_code, rows(said)) == ("Nothing was installed.", 1, [])
    assert recorded(debian) == []
    (question,) = person.read
    for expected in (ca.common_name(made.certificate), str(debian.files / DEBIAN.folder), "chatgpt.com only"):
        assert expected in question
    willing = Person(says=True)
    assert install(folder, system(debian), willing, now).exit_code == 0
    assert install(folder, system(debian), willing, now).exit_code == 0
    assert willing.read == [question], "the second time it is there"


@posix
def test_nobody_is_asked_for_what_cannot_be_done(folder: Path, made: ca.CaChange, debian: Machine, now: float) -> None:
    person = Person(says=True)
    said = install(folder, system(replace(debian, root=False)), person, now)
    assert said.exit_code == 1
    assert person.read == []


# --- what may be installed -------------------------------------------------------------------------------------------


@posix
def test_only_a_usable_ca_is_installed(folder: Path, debian: Machine, now: float) -> None:
    """Missing, damaged, expired, or not held to the provider's hosts: it says what is wrong, as `ca status` does."""
    from mitmproxy.certs import CertStore

    with pytest.raises(CaUnfit, match=r"There is no CA in .* Run `codex-rotate ca create`"):
        install(folder, system(debian), YES, now)
    ca.create(folder, now - 400 * 86_400)
    with pytest.raises(CaUnfit, match="expired on"):
        install(folder, system(debian), YES, now)
    CertStore.create_store(folder, "mitmproxy", 2048)
    with pytest.raises(CaUnfit, match="it could vouch for other hosts than"):
        install(folder, system(debian), YES, now)
    (folder / ca.KEY_FILE).write_bytes(b"damaged")
    with pytest.raises(CaUnfit, match="is damaged"):
        install(folder, system(debian), YES, now)
    assert recorded(debian) == []


# --- telling ---------------------------------------------------------------------------------------------------------


@posix
def test_install_twice_uninstall_twice(folder: Path, made: ca.CaChange, debian: Machine, now: float) -> None:
    """Each second time nothing is changed, and that is said."""
    name, place = ca.common_name(made.certificate), str(debian.files / DEBIAN.folder)
    first = install(folder, system(debian), YES, now)
    assert f"The trust store of Debian trusts {name} now." in first.message
    assert rows(first) == [
        {"store": "system", "place": place, "state": "installed", "removed": [], "trouble": None},
    ]
    again = install(folder, system(debian), YES, now)
    assert (rows(again)[0]["state"], again.exit_code) == ("already_trusted", 0)
    gone = uninstall(system(debian))
    assert gone.message == f"{name} was removed from {place}."
    assert rows(gone)[0]["removed"] == [ca.fingerprint(made.certificate)]
    nothing = uninstall(system(debian))
    assert (rows(nothing)[0]["state"], nothing.exit_code) == ("not_there", 0)
    assert len(recorded(debian)) == 2


@posix
def test_after_a_renewal_the_old_one_is_replaced(folder: Path, made: ca.CaChange, debian: Machine, now: float) -> None:
    """And that is said, because a proxy that still runs signs with it."""
    install(folder, system(debian), YES, now)
    new = ca.renew(folder, now, force=True)
    said = install(folder, system(debian), YES, now)
    assert f"{ca.common_name(made.certificate)} was removed" in said.message
    assert "Restart proxies that still run with the old one" in said.message
    assert rows(said)[0]["removed"] == [ca.fingerprint(made.certificate)]
    (held,) = system(debian)[0].check()
    assert held.certificate == new.certificate


@posix
def test_one_store_that_fails_does_not_keep_the_others_from_it(
    folder: Path, made: ca.CaChange, debian: Machine, now: float
) -> None:
    """Its trouble goes to stderr, with the command for root; the exit code is 1."""
    install(folder, system(debian), YES, now)
    ca.renew(folder, now, force=True)
    both = chosen(with_browser(replace(debian, root=False)), system=True, nss=True)
    said = install(folder, both, YES, now)
    assert said.exit_code == 1
    assert [row["state"] for row in rows(said)] == ["failed", "failed"]
    assert "Run: sudo install -D -m 0644" in said.notes[0]
    assert "sudo rm -f" in said.notes[0]
    assert "Run: sudo apt install libnss3-tools" in said.notes[1]
    left = uninstall(chosen(debian, system=False, nss=False))
    assert [row["state"] for row in rows(left)] == ["removed", "not_there"]


@posix
def test_a_failed_command_is_told_as_it_is(folder: Path, made: ca.CaChange, tmp_path: Path, now: float) -> None:
    machine = linux(tmp_path / "m", DEBIAN, {"update-ca-certificates": fails(1, "disk full")})
    said = install(folder, system(machine), YES, now)
    assert (said.exit_code, said.message) == (1, "")
    assert "`update-ca-certificates` failed with exit code 1 and said: disk full." in said.notes[0]
    assert said.notes[0] == rows(said)[0]["trouble"]


def test_uninstall_needs_no_ca_and_no_store(tmp_path: Path) -> None:
    """The CA may be gone long since; a system that is not known has nothing of ours."""
    machine = replace(linux(tmp_path, DEBIAN), system="plan9")
    assert uninstall(chosen(machine, system=False, nss=False)).exit_code == 0
    with pytest.raises(NoStore):
        chosen(machine, system=True, nss=False)
    with pytest.raises(NoStore):
        chosen(machine, system=False, nss=True)


# --- status ----------------------------------------------------------------------------------------------------------


@posix
def test_status_says_who_trusts_it(folder: Path, made: ca.CaChange, debian: Machine, now: float) -> None:
    stores = system(debian)
    before = ca_status(folder, now, stores)
    assert "trusted by: no store of this machine; Codex needs none" in before.message
    install(folder, stores, YES, now)
    after = ca_status(folder, now, stores)
    assert f"trusted by: {debian.files / DEBIAN.folder}" in after.message
    assert isinstance(after.data, dict)
    place = str(debian.files / DEBIAN.folder)
    row = {"store": "system", "place": place, "trusted": True, "others": [], "trouble": None}
    assert after.data["trusted_by"] == [row]
    ca.renew(folder, now, force=True)
    renewed = ca_status(folder, now, stores)
    assert "trusted by: no store of this machine" in renewed.message
    assert (
        f"not this one, but trusted by {place}: {ca.common_name(made.certificate)}; `codex-rotate ca un"
        in renewed.message
    )
    assert isinstance(renewed.data, dict)
    assert renewed.data["trusted_by"] == [row | {"trusted": False, "others": [ca.fingerprint(made.certificate)]}]


@posix
def test_status_does_not_know_what_it_cannot_read(folder: Path, made: ca.CaChange, debian: Machine, now: float) -> None:
    """A missing tool is no trouble of the CA: the exit code stays 0."""
    stores = chosen(with_browser(debian, b"codex-rotate CA 0123456789ab"), system=False, nss=False)
    said = ca_status(folder, now, stores)
    assert said.exit_code == 0
    assert "trusted by: no store of this machine that can be read; Codex needs none" in said.message
    assert "not known whether trusted by" in said.message
    assert isinstance(said.data, dict)
    assert [row["trusted"] for row in said.data["trusted_by"]] == [False, None]
    assert "libnss3-tools" in said.data["trusted_by"][1]["trouble"]


@posix
def test_status_without_a_ca_still_tells_what_is_trusted(
    folder: Path, made: ca.CaChange, debian: Machine, now: float
) -> None:
    """Whoever deletes the folder leaves that behind."""
    install(folder, system(debian), YES, now)
    said = ca_status(folder.parent / "another", now, system(debian))
    assert said.exit_code == 1
    assert f"trusted by {debian.files / DEBIAN.folder}: {ca.common_name(made.certificate)}" in said.message


# --- this machine ----------------------------------------------------------------------------------------------------

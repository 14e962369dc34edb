"""`ca`: what a person or a script is told about the certificate authority; its key is never shown."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from certs import ca
from cli.commands.setup.ca import ca_path, ca_status, create_ca, renew_ca
from config import clock

type Run = Callable[..., Any]

ROOT = Path(__file__).resolve().parents[4]
DAY = 86_400.0
NOON = 1_795_176_900.0


@pytest.fixture
def folder(home: Path) -> Path:
    return home / "ca"


def lines_of_the_key(folder: Path) -> list[str]:
    lines = (folder / ca.KEY_FILE).read_text().partition("PRIVATE KEY-----\n")[2].partition("-----END")[0].splitlines()
    assert lines
    return lines


def test_create(run: Run, folder: Path) -> None:
    """It says what it can vouch for and what to do with it; with --json, the same for programs."""
    ran = run("ca", "create")
    assert (ran.code, ran.err) == (0, "")
    assert f"CODEX_CA_CERTIFICATE={folder / 'trusted.pem'}" in ran.out
    assert "for chatgpt.com only" in ran.out
    assert ca.examine(folder, clock.now()).condition is ca.CertificateCondition.USABLE


def test_create_as_json(run: Run, folder: Path) -> None:
    data = run("ca", "create", "--json").json
    assert data["action"] == "created"
    assert data["confdir"] == str(folder)
    assert data["permitted"] == ["chatgpt.com"]
    made = x509.load_pem_x509_certificate(Path(data["certificate"]).read_bytes())
    assert data["sha256"] == ca.fingerprint(made)


def test_create_twice(run: Run, folder: Path) -> None:
    """Wrong usage: what is there stays, and it says what that is."""
    run("ca", "create")
    before = (folder / ca.KEY_FILE).read_bytes()
    ran = run("ca", "create")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "codex-rotate CA " in ran.err
    assert "ca renew --force" in ran.err
    assert run("ca", "create", "--json").json["exit_code"] == 2
    assert (folder / ca.KEY_FILE).read_bytes() == before


def test_status_of_nothing(run: Run, home: Path) -> None:
    """Exit code 1 and the command that makes one; nothing is made by looking."""
    ran = run("ca", "status")
    assert ran.code == 1
    assert "codex-rotate ca create" in ran.out
    data = run("ca", "status", "--json").json
    assert (data["usable"], data["condition"]) == (False, "missing")
    assert not home.exists()


def test_status(folder: Path) -> None:
    """Who it is, until when, and what it can vouch for."""
    create_ca(folder, NOON)
    said = ca_status(folder, NOON + DAY)
    assert said.exit_code == 0
    made = ca.examine(folder, NOON).certificate
    assert made is not None
    for expected in (
        ca.common_name(made),
        ca.fingerprint(made),
        "2026-11-19 to 2027-11-20, days left: 364",
        "can vouch for: chatgpt.com",
        "never for: 0.0.0.0/0, ::/0",
    ):
        assert expected in said.message
    assert isinstance(said.data, dict)
    assert (said.data["days_left"], said.data["renewal_due"], said.data["old"]) == (364, False, [])


def test_status_near_the_end_and_after_it(folder: Path) -> None:
    """Due is still usable; expired is not."""
    create_ca(folder, NOON)
    due = ca_status(folder, NOON + 340 * DAY)
    assert due.exit_code == 0
    assert "due for `codex-rotate ca renew`" in due.message
    expired = ca_status(folder, NOON + 366 * DAY)
    assert expired.exit_code == 1
    assert "expired on 2027-11-20. Run `codex-rotate ca renew`." in expired.message
    assert "days left: 0" in expired.message


@pytest.mark.parametrize("name", [ca.KEY_FILE, ca.CERTIFICATE_FILE])
def test_status_of_a_damaged_one(run: Run, folder: Path, name: str) -> None:
    """It names the file and the remedy."""
    run("ca", "create")
    (folder / name).write_bytes(b"damaged")
    ran = run("ca", "status")
    assert ran.code == 1
    assert str(folder / name) in ran.out
    assert "codex-rotate ca renew" in ran.out
    assert run("ca", "status", "--json").json["usable"] is False


@pytest.mark.skipif(os.name != "posix", reason="modes are a POSIX matter")
def test_a_key_that_others_could_read(run: Run, folder: Path) -> None:
    """It is closed, and that is a note: the exit code stays 0, stdout stays one JSON value."""
    run("ca", "create")
    (folder / ca.KEY_FILE).chmod(0o644)
    ran = run("ca", "status", "--json")
    assert ran.code == 0
    assert "was open to others (0644)" in ran.err
    assert (ran.json["key_mode"], len(ran.json["repairs"])) == ("0600", 1)
    assert stat.S_IMODE((folder / ca.KEY_FILE).stat().st_mode) == 0o600
    assert "mode 0600" in run("ca", "status").out


def test_path(run: Run, folder: Path) -> None:
    """The file name and nothing else, for the shell."""
    run("ca", "create")
    ran = run("ca", "path")
    assert (ran.code, ran.out, ran.err) == (0, f"{folder / ca.TRUSTED_FILE}\n", "")
    assert run("ca", "path", "--json").json == {"certificate": str(folder / ca.TRUSTED_FILE)}


def test_path_of_what_cannot_be_used(run: Run, folder: Path) -> None:
    """Nothing on stdout: a client with a file that it cannot trust only says that something is wrong, after 20 s."""
    ran = run("ca", "path")
    assert (ran.code, ran.out) == (1, "")
    assert "codex-rotate ca create" in ran.err
    run("ca", "create")
    (folder / ca.CERTIFICATE_FILE).unlink()
    assert run("ca", "path").out == ""


def test_renew_before_it_is_due(folder: Path) -> None:
    """Nothing happens, and it says how to renew all the same."""
    create_ca(folder, NOON)
    said = renew_ca(folder, NOON + DAY, force=False)
    assert said.exit_code == 0
    assert "364 more days" in said.message
    assert "--force" in said.message
    assert isinstance(said.data, dict)
    assert (said.data["action"], said.data["old"]) == ("nothing", None)


@pytest.mark.parametrize(("later", "force"), [(340 * DAY, False), (DAY, True)], ids=["due", "forced"])
def test_renew(folder: Path, later: float, *, force: bool) -> None:
    """The old certificate stays and is told, also by `status`, for those who still trust it."""
    create_ca(folder, NOON)
    before = Path(ca_path(folder, NOON).message).read_bytes()
    said = renew_ca(folder, NOON + later, force=force)
    assert isinstance(said.data, dict)
    assert said.data["action"] == "renewed"
    assert Path(str(said.data["old"])).read_bytes() == before
    assert str(said.data["old"]) in said.message
    assert "clients started from now on trust both" in said.message
    assert str(said.data["old"]) in ca_status(folder, NOON + later).message


def test_renew_when_the_key_leaked(folder: Path) -> None:
    """Nobody goes on trusting the old one, so everything has to be restarted; where it was installed it is told."""
    create_ca(folder, NOON)
    said = renew_ca(folder, NOON + DAY, force=False, leaked=True)
    assert "restart every proxy and every client" in said.message
    assert isinstance(said.data, dict)
    assert str(said.data["old"]) in ca_status(folder, NOON + DAY).message


def test_renew_says_that_the_key_leaked(run: Run, folder: Path) -> None:
    """One word is enough: it needs no --force beside it."""
    run("ca", "create")
    run("ca", "renew", "--force")
    assert (folder / ca.TRUSTED_FILE).read_bytes().count(b"BEGIN") == 2
    assert run("ca", "renew", "--leaked").code == 0
    assert (folder / ca.TRUSTED_FILE).read_bytes() == (folder / ca.CERTIFICATE_FILE).read_bytes()


def test_renew_of_an_expired_one(folder: Path) -> None:
    """It is no use to anybody: nothing is said of going on with it."""
    create_ca(folder, NOON)
    assert "restart every proxy and every client" in renew_ca(folder, NOON + 400 * DAY, force=False).message


def test_renew_of_nothing(run: Run, home: Path) -> None:
    ran = run("ca", "renew")
    assert (ran.code, ran.out) == (1, "")
    assert "codex-rotate ca create" in ran.err


def test_renew_mends_the_copy(run: Run, folder: Path) -> None:
    run("ca", "create")
    (folder / ca.CERTIFICATE_FILE).unlink()
    ran = run("ca", "renew")
    assert (ran.code, ran.err) == (0, "")
    assert "was written again" in ran.out
    assert run("ca", "path").code == 0


def test_a_folder_that_cannot_be_used(run: Run, home: Path) -> None:
    """One line that says where and what to do, never a traceback."""
    home.mkdir()
    (home / "ca").write_text("a file in the way")
    ran = run("ca", "create")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "CODEX_ROTATE_HOME" in ran.err
    assert run("ca", "create", "--json").json["exit_code"] == 1


def test_help_loads_no_cryptography() -> None:
    """Only a command that works with certificates waits for it."""
    code = (
        "import sys; from cli.app import main; main(['ca', '--help']); "
        "print('cryptography' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr.splitlines()[-1] == "False"


def test_no_command_shows_the_key(run: Run, folder: Path) -> None:
    """Whatever they say, whatever is wrong with the file."""
    run("ca", "create")
    whole = (folder / ca.KEY_FILE).read_bytes()
    secrets, said = lines_of_the_key(folder), []
    for content in (whole, whole[:150], whole[:-100], whole.replace(b"BEGIN", b"BEGUN")):
        (folder / ca.KEY_FILE).write_bytes(content)
        for words in (["create"], ["status"], ["path"], ["renew"]):
            for more in ([], ["--json"]):
                ran = run("ca", *words, *more)
                said.append(ran.out + ran.err)
    (folder / ca.KEY_FILE).write_bytes(whole)
    ran = run("ca", "renew", "--force")
    said.append(ran.out + ran.err)
    assert all(said)
    assert not [line for line in secrets if any(line in each for each in said)]
    assert not [each for each in said if "PRIVATE" in each]

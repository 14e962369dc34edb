"""The client's own `.env`: a block that leads nowhere, a damaged one, and lines of the user's that win over it."""

from pathlib import Path

import pytest

from certs import ca as authority
from cli.doctor import dotenv as doctor_dotenv
from cli.doctor.dotenv import Dotenv, OwnLine, gather, release
from cli.doctor.network import At, LedTo, Trust
from config import clock, dotenv
from tests.cli.doctor.test_network import told
from tests.cli.doctors import NOTE, OK, PROBLEM, WARNING, free, listening, only, short

FILE = Path("/c/.env")
GOOD = Trust(name="SSL_CERT_FILE", file=Path("/b.pem"))


def led(at: At) -> LedTo:
    return LedTo(name="its block", place="127.0.0.1 port 1", at=at)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"CODEX_HOME": str(tmp_path), "CODEX_ROTATE_HOME": str(tmp_path / "home")}


def bind(file: Path, url: str, before: bytes | None = None, **more: str) -> None:
    values = {"HTTPS_PROXY": url, "SSL_CERT_FILE": "/none/b.pem", "NO_PROXY": "localhost", **more}
    file.write_bytes(dotenv.bind(before, values))


# --- facts -----------------------------------------------------------------------------------------------------------


def test_a_dead_block_is_found_and_taken_out(tmp_path: Path, environ: dict[str, str]) -> None:
    """The rest of the file stays as it was, byte for byte; a client key in the address is not kept."""
    before, file = "A='ü'\r\n# mine".encode(), tmp_path / ".env"
    bind(file, free().replace("://", "://-:a-client-key@"), before)
    found = gather(environ)
    assert (found.dead, found.trouble, "a-client-key" in repr(found)) == (True, "", False)
    assert "no longer bound" in release(found)
    assert file.read_bytes() == before
    assert not gather(environ).dead


def test_a_block_that_leads_to_us(tmp_path: Path, environ: dict[str, str]) -> None:
    """With a bundle that has our certificate, in a folder with an odd name."""
    done = authority.create(tmp_path / "home" / "ca", clock.now())
    bundle = tmp_path / 'it\'s $HOME "ü" \\ #.pem'
    bundle.write_bytes(done.trusted_file.read_bytes())
    with listening(told(tmp_path / "home")) as url:
        bind(tmp_path / ".env", url, SSL_CERT_FILE=str(bundle), NO_PROXY="localhost,chatgpt.com")
        found = gather(environ)
    assert found.led is not None
    assert (found.led.at, found.dead) == (At.OURS, False)
    assert found.trust == Trust(name="SSL_CERT_FILE", file=bundle)
    assert found.bypassing == ("chatgpt.com",)


def test_damage_is_told(tmp_path: Path, environ: dict[str, str]) -> None:
    file = tmp_path / ".env"
    bind(file, free())
    file.write_bytes(file.read_bytes().replace(b"localhost", b"elsewhere"))
    assert ".env" in gather(environ).trouble
    file.write_bytes(dotenv.bind(b"A=don't\n", {"HTTPS_PROXY": free()}))
    assert ".env" in gather(environ).trouble
    file.unlink()
    file.mkdir()
    assert "ordinary file" in gather(environ).trouble


def test_lines_of_the_users(tmp_path: Path, environ: dict[str, str]) -> None:
    """Before the block they lose, behind it they win; their values are not kept."""
    file = tmp_path / ".env"
    bind(file, free(), b"https_proxy=http://ann:hunter2@127.0.0.1:1\nOTHER=1\n")
    file.write_bytes(file.read_bytes() + b"export HTTPS_PROXY=http://127.0.0.1:1\nNO_PROXY=*\nSSL_CERT_FILE=/x\n")
    found = gather(environ)
    assert [(each.name, each.last) for each in found.own] == [
        ("https_proxy", False), ("HTTPS_PROXY", True), ("NO_PROXY", True), ("SSL_CERT_FILE", True),
    ]  # fmt: skip
    assert "hunter2" not in repr(found)


def test_no_file(environ: dict[str, str], tmp_path: Path) -> None:
    assert gather(environ) == Dotenv(file=tmp_path / ".env")


# --- judgement -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "state"), [(At.OURS, OK), (At.OTHER_POOL, WARNING), (At.SOMETHING, PROBLEM), (At.NOTHING, PROBLEM)]
)
def test_where_the_block_leads(at: At, state: object) -> None:
    assert short(doctor_dotenv.block(Dotenv(file=FILE, led=led(at), trust=GOOD))) == [("dotenv.block", state)]


def test_an_address_in_the_block_that_cannot_be_used() -> None:
    broken = LedTo(name="its block", trouble="begins with https://")
    assert only(doctor_dotenv.block(Dotenv(file=FILE, led=broken))).state is PROBLEM
    assert not Dotenv(file=FILE, led=broken).dead


def test_the_rest_of_the_block() -> None:
    found = Dotenv(file=FILE, led=led(At.OURS), trust=GOOD, bypassing=("*",))
    assert short(doctor_dotenv.block(found)) == [("dotenv.block", OK), ("dotenv.no_proxy", PROBLEM)]
    for bad in (Trust(name="x", file=FILE, ours=False), Trust(name="x", file=FILE, readable=False, ours=False)):
        found = Dotenv(file=FILE, led=led(At.OURS), trust=bad)
        assert short(doctor_dotenv.block(found)) == [("dotenv.block", OK), ("dotenv.certificate", PROBLEM)]


def test_nothing_and_damage() -> None:
    assert short(doctor_dotenv.block(Dotenv(file=FILE))) == [("dotenv.block", OK)]
    assert short(doctor_dotenv.block(Dotenv(file=FILE, trouble="It is damaged. Mend it."))) == [
        ("dotenv.file", PROBLEM)
    ]


def test_what_lines_of_the_users_do() -> None:
    def judged(bound: bool, **values: object) -> list[object]:
        mine = OwnLine(line=3, name="HTTPS_PROXY", **values)  # type: ignore[arg-type]
        found = Dotenv(file=FILE, led=led(At.OURS) if bound else None, own=(mine,))
        return [state for _, state in short(doctor_dotenv.own(found))]

    assert judged(True, last=True) == [PROBLEM]
    assert judged(True, led=led(At.OURS)) == []
    assert judged(True, bypassing=("*",)) == [PROBLEM]
    assert judged(False, led=led(At.OURS)) == [NOTE]
    assert judged(False, led=led(At.SOMETHING)) == [WARNING]
    assert judged(False, led=led(At.NOTHING)) == [WARNING, PROBLEM]

"""The debug CA: any host, for a week at most, under a name that says so, and never mixed with the other one."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from certs import ca, debug_ca
from certs.debug_ca import NoDebugCa, ensure, require
from certs.errors import CaUnreachable
from tests.certs.conftest import DAY, authority, contents, handshake, pem, serving, sign, trusting
from tests.certs.test_vouching import alternative

posix = pytest.mark.skipif(os.name != "posix", reason="modes are a POSIX matter")


def test_its_name_says_what_it_is_and_it_lives_for_a_week(folder: Path, now: float) -> None:
    """In every list that it may get into."""
    made = ensure(folder, now)
    assert made.name.startswith("codex-rotate DEBUG CA (any host) ")
    assert len(made.name.rpartition(" ")[2]) == 12
    assert made.end.timestamp() == now + 7 * DAY
    assert ca.constraints(made.certificate) == ((), ())
    assert made.file.read_bytes() == pem(made.certificate)


@pytest.mark.parametrize("host", ["example.com", "chatgpt.com", "203.0.113.7"])
def test_it_is_believed_for_any_host(folder: Path, now: float, host: str) -> None:
    """By a client that is as strict as Python can be."""
    made = ensure(folder, now)
    key = ec.generate_private_key(ec.SECP256R1())
    server = serving(folder.parent / "leaf.pem", key, sign(authority(folder), host, key, now, alternative(host)))
    assert handshake(trusting(made.file), server, host) == "TLSv1.3"


@posix
def test_what_is_made_is_its_owner_s_only(folder: Path, now: float) -> None:
    """And what was opened is closed."""
    ensure(folder, now)
    folder.chmod(0o755)
    (folder / ca.KEY_FILE).chmod(0o644)
    ensure(folder, now)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_it_is_used_again_until_a_day_before_its_end(folder: Path, now: float) -> None:
    """Then there is a new one, and nothing is kept of the old."""
    first = ensure(folder, now)
    assert ensure(folder, now + 6 * DAY - 1) == first
    second = ensure(folder, now + 6 * DAY)
    assert second.name != first.name
    assert second.end.timestamp() == now + 13 * DAY
    assert set(contents(folder)) == {ca.KEY_FILE, ca.CERTIFICATE_FILE}
    assert pem(first.certificate).splitlines()[3] not in b"".join(contents(folder).values()).splitlines()


def test_the_bundle_of_other_tools_follows_it(folder: Path, now: float) -> None:
    first = ensure(folder, now)
    root = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    (folder / "all-tools.pem").write_bytes(root + pem(first.certificate))
    second = ensure(folder, now + 8 * DAY)
    assert (folder / "all-tools.pem").read_bytes() == root + pem(second.certificate)


@pytest.mark.parametrize("name", [ca.KEY_FILE, ca.CERTIFICATE_FILE])
@pytest.mark.parametrize("content", [b"", b"\xff not PEM", None], ids=["empty", "not PEM", "gone"])
def test_whatever_is_damaged_is_made_again(folder: Path, now: float, name: str, content: bytes | None) -> None:
    """Nobody has to decide anything: no one depends on it for long."""
    ensure(folder, now)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(NoDebugCa):
        require(folder, now)
    made = ensure(folder, now)
    assert require(folder, now) == made


def test_another_authority_in_its_place_is_not_used(folder: Path, now: float) -> None:
    """The constrained one neither: its clients trust it for longer, and for what is not debugging."""
    ca.create(folder, now)
    with pytest.raises(NoDebugCa):
        require(folder, now)
    assert ensure(folder, now).name.startswith("codex-rotate DEBUG CA ")


@pytest.mark.parametrize("later", [-2 * DAY, 8 * DAY], ids=["before its time", "after it"])
def test_outside_its_time_there_is_none(folder: Path, now: float, later: float) -> None:
    ensure(folder, now)
    with pytest.raises(NoDebugCa, match="serve --intercept-all"):
        require(folder, now + later)
    made = ensure(folder, now + later)
    assert require(folder, now + later) == made


def test_looking_makes_nothing(folder: Path, now: float) -> None:
    with pytest.raises(NoDebugCa):
        require(folder, now)
    assert not folder.exists()


def test_two_that_start_at_once_get_the_same_one(folder: Path, now: float) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: ensure(folder, now), range(16)))
    assert len({each.name for each in made}) == 1
    assert require(folder, now) == made[0]


def test_a_file_in_the_way_of_the_folder_is_told(folder: Path, now: float) -> None:
    folder.parent.write_text("a file")
    with pytest.raises(CaUnreachable, match="CODEX_ROTATE_HOME"):
        ensure(folder, now)


def test_it_is_made_without_the_other_one_and_leaves_it_alone(folder: Path, now: float) -> None:
    """Neither its files nor its bundle change."""
    ca.create(folder, now)
    before = contents(folder)
    debug_ca.ensure(folder.with_name("debug-ca"), now)
    assert contents(folder) == before

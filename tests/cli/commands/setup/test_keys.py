"""A key is shown once, kept as a digest, and taken back by its name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from accounts.model import fingerprint
from accounts.store.store import Store
from certs import ca, debug_ca
from certs.bundles import certificates
from config import clock, join_file

type Run = Callable[..., Any]


def stored(home: Path) -> dict[str, str]:
    with Store(home / "pool.db") as store:
        return {name: digest for digest, name in store.client_keys().items()}


def test_a_key_is_shown_once_and_kept_as_a_digest(run: Run, home: Path) -> None:
    """The first key also makes the one of our own commands, in a file that only its owner reads."""
    ran = run("keys", "add", "ann")
    assert (ran.code, "a key too" in ran.err) == (0, True)
    key = ran.out.partition("http://-:")[2].partition("@127.0.0.1:8118")[0]
    local = home / "client.key"
    assert stored(home) == {"ann": fingerprint(key), "local": fingerprint(local.read_text())}
    assert local.stat().st_mode & 0o777 == 0o600
    assert key.encode() not in b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())
    assert key not in run("keys", "list").out


def test_the_second_key_changes_nothing_for_the_first(run: Run, home: Path) -> None:
    run("keys", "add", "ann")
    before = stored(home)
    ran = run("keys", "add", "bob", "--json")
    assert ran.json["first"] is False
    assert stored(home) == before | {"bob": fingerprint(ran.json["key"])}
    assert run("keys", "list", "--json").json["keys"] == ["ann", "bob"]


def test_taking_the_last_key_back_opens_this_machine_again(run: Run, home: Path) -> None:
    """And says so; the key of our own commands goes with it."""
    run("keys", "add", "ann")
    run("keys", "add", "bob")
    assert run("keys", "remove", "ann").err == ""
    assert stored(home).keys() == {"bob", "local"}
    ran = run("keys", "remove", "bob")
    assert "the user who runs the proxy may use it again without one" in ran.err
    assert stored(home) == {}
    assert not (home / "client.key").exists()


@pytest.mark.parametrize("name", ["", "a b", "local", "-x", "a:b", "a/b"])
def test_a_name_that_cannot_be(run: Run, home: Path, name: str) -> None:
    ran = run("keys", "add", "--", name)
    assert (ran.code, ran.out) == (2, "")
    assert "another" in ran.err
    assert not (home / "client.key").exists()


def test_a_key_is_never_replaced_silently(run: Run, home: Path) -> None:
    run("keys", "add", "ann")
    before = stored(home)
    ran = run("keys", "add", "ann")
    assert (ran.code, "keys remove ann" in ran.err) == (2, True)
    assert stored(home) == before


@pytest.mark.parametrize("name", ["nobody", "local"])
def test_a_key_that_is_not_there_cannot_be_taken_back(run: Run, home: Path, name: str) -> None:
    """Nor the one of our own commands."""
    run("keys", "add", "ann")
    before = stored(home)
    assert run("keys", "remove", name).code == 2
    assert stored(home) == before


def test_no_keys(run: Run) -> None:
    assert "nobody else" in run("keys", "list").out


# --- key files -------------------------------------------------------------------------------------------------------


def test_a_key_file_has_all_that_is_needed(run: Run, home: Path, tmp_path: Path) -> None:
    """Address, key and certificate; of the authority the certificate alone. The key is there and nowhere else."""
    file = tmp_path / "ann.toml"
    ran = run("keys", "add", "ann", "--host", "pool.example", "--port", "9000", "--out", file)
    assert ran.code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    found = join_file.read(file.read_bytes())
    assert (found.place, found.name) == ("pool.example:9000", "ann")
    assert stored(home)["ann"] == fingerprint(found.key)
    assert found.key not in ran.out + ran.err
    assert certificates(found.certificate.encode()) == certificates(
        (home / "ca" / "mitmproxy-ca-cert.pem").read_bytes()
    )
    assert b"PRIVATE" not in file.read_bytes()


def test_without_a_place_for_it_the_key_file_is_printed(run: Run, home: Path) -> None:
    """And nothing else on stdout, so that it can be piped on."""
    ran = run("keys", "add", "ann", "--host", "127.0.0.1")
    found = join_file.read(ran.out.encode())
    assert (found.place, stored(home)["ann"]) == ("127.0.0.1:8118", fingerprint(found.key))
    told = run("keys", "add", "bob", "--host", "::1", "--json").json
    assert join_file.read(told["text"].encode()).place == "[::1]:8118" == told["address"].removeprefix("http://")


def test_after_a_renewal_the_key_file_has_both_certificates(run: Run, home: Path) -> None:
    """A proxy that runs since before still signs with the old one."""
    ca.create(home / "ca", clock.now())
    ca.renew(home / "ca", clock.now(), force=True)
    found = join_file.read(run("keys", "add", "ann", "--host", "127.0.0.1").out.encode())
    assert len(certificates(found.certificate.encode())) == 2


def test_an_authority_that_could_vouch_for_any_host_is_given_to_nobody(run: Run, home: Path) -> None:
    """Such as mitmproxy's own: whoever has its key could read all that the other person's client sends."""
    wide = debug_ca.ensure(home / "debug-ca", clock.now())
    ca.create(home / "ca", clock.now())
    for file in (home / "ca").iterdir():
        if file.suffix == ".pem":
            file.write_bytes((home / "debug-ca" / "mitmproxy-ca.pem").read_bytes())
    (home / "ca" / "trusted.pem").write_bytes(wide.file.read_bytes())
    ran = run("keys", "add", "ann", "--host", "127.0.0.1")
    assert (ran.code, ran.out) == (1, "")
    assert stored(home) == {}


@pytest.mark.parametrize("host", ["", "pool example", "http://pool.example", "pool.example:8118", "a/b", "-x", "é"])
def test_a_host_that_is_none(run: Run, home: Path, host: str, tmp_path: Path) -> None:
    ran = run("keys", "add", "ann", f"--host={host}", "--out", tmp_path / "f")
    assert (ran.code, ran.out) == (2, "")
    assert not (home / "client.key").exists()
    assert not (tmp_path / "f").exists()


def test_a_file_that_is_there_is_never_replaced(run: Run, home: Path, tmp_path: Path) -> None:
    """And no key is made for it."""
    file = tmp_path / "ann.toml"
    file.write_text("mine")
    ran = run("keys", "add", "ann", "--host", "127.0.0.1", "--out", file)
    assert (ran.code, file.read_text()) == (2, "mine")
    assert not home.exists()


def test_a_file_that_cannot_be_written_leaves_no_key(run: Run, home: Path, tmp_path: Path) -> None:
    ran = run("keys", "add", "ann", "--host", "127.0.0.1", "--out", tmp_path / "no" / "such" / "folder")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "ann" not in stored(home)


@pytest.mark.parametrize("more", [("--port", "9000"), ("--out", "f")])
def test_what_is_for_a_key_file_needs_a_host(run: Run, more: tuple[str, str]) -> None:
    ran = run("keys", "add", "ann", *more)
    assert (ran.code, "--host" in ran.err) == (2, True)


# --- whose a key is, and until when ----------------------------------------------------------------------------------


def details(run: Run) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in run("keys", "list", "--json").json["details"]}


def test_a_person_has_several_keys_with_names_of_their_own(run: Run, home: Path) -> None:
    run("people", "add", "ann")
    names = [
        run("keys", "add", *more, "--person", "Ann", "--json").json["name"]
        for more in ((), (), ("--label", "work laptop"), ("--label", "work laptop"), ("special",))
    ]
    assert names == ["ann", "ann-2", "ann-work-laptop", "ann-work-laptop-2", "special"]
    assert {each["person"] for each in details(run).values()} == {"ann"}
    assert details(run)["ann-work-laptop"]["label"] == "work laptop"
    assert len(run("people", "show", "ann", "--json").json["keys"]) == 5


def test_a_key_can_have_an_end(run: Run, home: Path) -> None:
    ran = run("keys", "add", "ann", "--expires", "30d")
    assert (ran.code, "It is good until" in ran.err) == (0, True)
    end = details(run)["ann"]["expires_at"]
    assert end == pytest.approx(clock.now() + 30 * 86_400, abs=60)
    shown = run("keys", "list").out
    assert "never" in shown.splitlines()[-1], "it was not used"


@pytest.mark.parametrize("text", ["soon", "0d", "-1d", "2020-01-01", "30", "5y", "2027-13-01", "99999w"])
def test_an_end_that_is_none_makes_no_key(run: Run, home: Path, text: str) -> None:
    ran = run("keys", "add", "ann", f"--expires={text}")
    assert (ran.code, ran.out, "30d" in ran.err) == (2, "", True)
    assert not home.exists()


def test_a_key_of_somebody_unknown_is_not_made(run: Run, home: Path) -> None:
    run("people", "add", "annabel")
    ran = run("keys", "add", "--person", "anabel")
    assert (ran.code, "Did you mean annabel?" in ran.err) == (2, True)
    assert stored(home) == {}


def test_a_key_needs_an_owner_or_a_name(run: Run, home: Path) -> None:
    ran = run("keys", "add")
    assert (ran.code, "--person" in ran.err) == (2, True)
    assert run("keys", "add", "ann", "--label", "x" * 41).code == 2


def test_another_key_takes_the_place_of_one(run: Run, home: Path) -> None:
    """Whose it is and what it is for stay, and it is good for as long as the one before."""
    run("people", "add", "ann")
    run("keys", "add", "--person", "ann", "--label", "laptop", "--expires", "10d")
    before = stored(home)["ann-laptop"]
    ran = run("keys", "rotate", "ann-laptop", "--json")
    assert (ran.code, "is refused from now on" in ran.err) == (0, True)
    assert stored(home)["ann-laptop"] == fingerprint(ran.json["key"]) != before
    key = details(run)["ann-laptop"]
    assert (key["person"], key["label"]) == ("ann", "laptop")
    assert key["expires_at"] == pytest.approx(clock.now() + 10 * 86_400, abs=60)
    with Store(home / "pool.db") as store:
        assert before in store.removed_keys()
    assert run("keys", "rotate", "ann-laptop", "--expires", "2d").code == 0
    assert details(run)["ann-laptop"]["expires_at"] == pytest.approx(clock.now() + 2 * 86_400, abs=60)


def test_a_key_file_for_another_key(run: Run, home: Path, tmp_path: Path) -> None:
    run("keys", "add", "ann")
    file = tmp_path / "ann.toml"
    assert run("keys", "rotate", "ann", "--host", "127.0.0.1", "--out", file).code == 0
    assert fingerprint(join_file.read(file.read_bytes()).key) == stored(home)["ann"]


def test_where_the_key_file_cannot_be_written_the_key_before_stays_good(run: Run, home: Path, tmp_path: Path) -> None:
    run("keys", "add", "ann")
    before = stored(home)
    assert run("keys", "rotate", "ann", "--host", "127.0.0.1", "--out", tmp_path / "no" / "where").code == 1
    assert stored(home) == before


@pytest.mark.parametrize("command", ["rotate", "remove"])
def test_a_key_that_is_not_there_is_told_with_those_that_are_like_it(run: Run, home: Path, command: str) -> None:
    run("keys", "add", "annabel")
    ran = run("keys", command, "anabel")
    assert (ran.code, "Did you mean annabel?" in ran.err) == (2, True)
    assert run("keys", command, "local").code == 2

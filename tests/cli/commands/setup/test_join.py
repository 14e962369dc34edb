"""`join` takes a key file as it should be and nothing else; `env`, `bind` and `status` then are about that proxy."""

import io
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from certs import ca, debug_ca
from certs.bundles import certificates
from cli.running import joined
from config import clock, dotenv, join_file
from config.join_file import Invitation

type Run = Callable[..., Any]

KEY = "k" * 43
PLACE = "127.0.0.1:9"
"""Where nothing listens."""


@pytest.fixture
def invitation(tmp_path: Path) -> Invitation:
    made = ca.create(tmp_path / "theirs", clock.now()).trusted_file.read_text()
    return Invitation(host="127.0.0.1", port=9, name="ann", key=KEY, certificate=made)


@pytest.fixture
def file(tmp_path: Path, invitation: Invitation) -> Path:
    return save(tmp_path / "ann.toml", invitation)


def save(path: Path, invitation: Invitation) -> Path:
    path.write_text(join_file.written(invitation))
    path.chmod(0o600)
    return path


def test_joining_needs_no_pool_and_makes_no_authority(run: Run, home: Path, file: Path, invitation: Invitation) -> None:
    ran = run("join", file)
    assert ran.code == 0
    assert f"{PLACE} as ann" in ran.out
    assert f"Nothing answers at {PLACE}" in ran.err
    assert joined.current() == invitation
    assert [each.name for each in home.iterdir()] == ["joined"]
    assert KEY not in ran.out + ran.err


def test_the_file_may_come_on_stdin(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))
    assert run("join", "-").code == 0
    assert joined.current() is not None


def test_what_is_joined_leads_clients(run: Run, home: Path, file: Path) -> None:
    """Its address, its key, its certificate."""
    run("join", file)
    ran = run("env", "--json")
    assert ran.json["HTTPS_PROXY"] == f"http://-:{KEY}@{PLACE}"
    assert ran.json["CODEX_CA_CERTIFICATE"] == str(home / "joined" / "mitmproxy-ca-cert.pem")
    assert (ran.json["running"], "does not answer" in ran.err) == (False, True)
    assert run("bind").code == 1
    assert run("bind", "--force").code == 0
    block = dotenv.block_values((home.parent / ".env").read_bytes())
    assert block["HTTPS_PROXY"] == f"http://-:{KEY}@{PLACE}"
    assert block["SSL_CERT_FILE"] == str(home / "joined" / "bundle.pem")


def test_an_address_that_is_named_goes_before_it(run: Run, home: Path, file: Path) -> None:
    run("join", file)
    ca.create(home / "ca", clock.now())
    ran = run("env", "--json", "--proxy", "http://127.0.0.1:1")
    assert ran.json["HTTPS_PROXY"] == "http://127.0.0.1:1"
    assert run("env", "--json", "--proxy", f"http://{PLACE}").json["HTTPS_PROXY"] == f"http://-:{KEY}@{PLACE}"


def test_run_says_whom_to_ask_when_it_does_not_answer(run: Run, file: Path) -> None:
    """No proxy of one's own is started instead."""
    run("join", file)
    ran = run("run", "--", sys.executable, "-c", "raise SystemExit(9)")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert f"{PLACE}, does not answer. Ask whoever runs it" in ran.err


def test_run_says_when_the_client_is_bound_elsewhere(run: Run, home: Path, file: Path) -> None:
    run("join", file)
    ca.create(home / "ca", clock.now())
    run("bind", "--force", "--proxy", "http://127.0.0.1:1")
    ran = run("run", "--", sys.executable, "-c", "")
    assert (ran.code, "codex-rotate unbind" in ran.err) == (2, True)


def test_a_second_one_takes_the_place_of_the_first(run: Run, file: Path, invitation: Invitation) -> None:
    """And that is said; the same one again is not."""
    run("join", file)
    assert "took the place" not in run("join", file).err
    save(file, replace(invitation, port=10, name="bob"))
    ran = run("join", file, "--json")
    assert ran.json["replaced"] == f"http://{PLACE}"
    assert f"took the place of {PLACE}, which you had joined as ann" in ran.err
    assert joined.current() == replace(invitation, port=10, name="bob")


def test_beside_a_pool_of_one_s_own_it_goes_first(run: Run, fill: Callable[..., Any], file: Path) -> None:
    """In words, with the way back."""
    fill("work")
    ran = run("join", file)
    assert "before your own pool of 1 account" in ran.err
    assert "join --remove" in ran.err
    assert run("list").code == 0


def test_giving_it_up(run: Run, home: Path, file: Path) -> None:
    run("join", file)
    ran = run("join", "--remove", "--json")
    assert ran.json == {"removed": f"http://{PLACE}"}
    assert joined.current() is None
    assert list(home.iterdir()) == []
    assert run("join", "--remove").code == 2


def test_a_client_that_is_bound_stays_so_until_it_is_unbound(run: Run, home: Path, file: Path) -> None:
    run("join", file)
    run("bind", "--force")
    ran = run("join", "--remove")
    assert "codex-rotate unbind" in ran.err
    assert (home / "joined" / "bundle.pem").exists()


def test_a_damaged_one_can_be_given_up_and_replaced(run: Run, home: Path, file: Path) -> None:
    run("join", file)
    (home / "joined" / "proxy.toml").write_text("x")
    assert run("env").code == 1
    assert run("join", file).code == 0
    (home / "joined" / "proxy.toml").write_text("x")
    assert run("join", "--remove").code == 0


@pytest.mark.skipif(os.name != "posix", reason="modes are a POSIX matter")
def test_a_file_that_others_can_read_is_warned_of(run: Run, file: Path) -> None:
    assert "can be read by others" not in run("join", file).err
    file.chmod(0o644)
    ran = run("join", file)
    assert (ran.code, "can be read by others" in ran.err) == (0, True)


def test_a_wrong_file_changes_nothing(run: Run, home: Path, file: Path, tmp_path: Path, invitation: Invitation) -> None:
    """Cut short, of another product, of a later version, with an authority that is too wide or has expired."""
    run("join", file)
    before = (home / "joined" / "proxy.toml").read_bytes()
    text = file.read_text()
    wide = debug_ca.ensure(tmp_path / "debug", clock.now()).file.read_text()
    old = ca.create(tmp_path / "old", clock.now() - 400 * 86_400).trusted_file.read_text()
    wrong = {
        "damaged or cut short": text[: len(text) // 2],
        "no key file of codex-rotate": text.replace("codex-rotate", "another"),
        "newer codex-rotate": text.replace("version = 1", "version = 2"),
        "any host": join_file.written(replace(invitation, certificate=wide)),
        "expired on": join_file.written(replace(invitation, certificate=old)),
    }
    for why, content in wrong.items():
        file.write_text(content)
        ran = run("join", file)
        assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
        assert why in ran.err
        assert KEY not in ran.err
    for missing in (tmp_path / "none", tmp_path):
        assert run("join", missing).code == 1
    assert (home / "joined" / "proxy.toml").read_bytes() == before


@pytest.mark.parametrize("words", [(), ("a", "--remove")])
def test_it_is_either_a_file_or_the_way_out(run: Run, words: tuple[str, ...]) -> None:
    assert run("join", *words).code == 2


def test_status_says_what_is_joined(run: Run, file: Path) -> None:
    """In a home without a pool too."""
    run("join", file)
    ran = run("status")
    assert (ran.code, "does not answer" in ran.out) == (3, True)
    assert "codex-rotate login" not in ran.out
    assert run("status", "--json").json["joined"] == {"proxy": PLACE, "name": "ann", "answers": False}


def test_somebody_who_has_nothing_is_told_both_ways(run: Run) -> None:
    """To make an authority of one's own would be of no use with another user's proxy."""
    for words in (("env",), ("env", "--proxy", "http://127.0.0.1:9"), ("bind", "--proxy", "http://127.0.0.1:9")):
        ran = run(*words)
        assert (ran.code, ran.out) == (1, "")
        assert "codex-rotate join FILE" in ran.err


def test_of_a_renewed_authority_both_certificates_are_trusted(run: Run, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    ca.create(folder, clock.now())
    both = ca.renew(folder, clock.now(), force=True).trusted_file.read_text()
    made = Invitation(host="127.0.0.1", port=9, name="ann", key=KEY, certificate=both)
    run("join", save(tmp_path / "f", made))
    assert len(certificates((home / "joined" / "mitmproxy-ca-cert.pem").read_bytes())) == 2

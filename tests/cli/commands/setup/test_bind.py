"""`bind` and `unbind`: the client's `.env` gets a block, keeps all else, and is never changed on a guess."""

import os
import socket
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from certs import ca
from certs.bundles import certificates
from certs.environment import NoCaCertificate, proxy_at
from cli.commands.setup.bind import bind, unbind
from cli.running.binding import (
    BindMode,
    BoundFiles,
    Damaged,
    FileUnusable,
    OpenQuote,
    ProxyDoesNotAnswer,
    UsersOwn,
)
from config import clock, dotenv

type Run = Callable[..., Any]

posix = pytest.mark.skipif(os.name != "posix", reason="links and modes are a POSIX matter")

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
PROXY = proxy_at("http://127.0.0.1:8118")
OTHER = proxy_at("http://127.0.0.1:9000")
USERS = b"# mine\r\nOPENAI_API_KEY=sk-secret\r\nA='b'"


def there(_: object) -> bool:
    return True


def not_there(_: object) -> bool:
    return False


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def places(home: Path, tmp_path: Path) -> BoundFiles:
    """The client's file, which is not there yet, and an authority, which is."""
    folder = home / "ca"
    folder.mkdir(parents=True)
    certificate = folder / "mitmproxy-ca-cert.pem"
    certificate.write_text(CERTIFICATE)
    return BoundFiles(file=tmp_path / ".env", ca_certificate=certificate, bundle=folder / "bundle.pem")


@pytest.fixture
def listening() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def beside(file: Path) -> list[str]:
    return sorted(each.name for each in file.parent.iterdir() if each.name.startswith((".env", ".unf")))


# --- there and back --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [None, b"", USERS, b"\xff\xfe\n\n", b"A=1\n"])
def test_unbind_leaves_what_was_there_before(places: BoundFiles, content: bytes | None) -> None:
    """Byte for byte; no file where there was none, and no copy beside it."""
    if content is not None:
        places.file.write_bytes(content)
    bind(places, PROXY, {}, there)
    assert places.file.read_bytes().startswith(content or b"#")
    unbind(places.file)
    assert (places.file.read_bytes() if places.file.exists() else None) == content
    assert beside(places.file) == ([] if content is None else [".env"])


def test_what_the_client_is_told(places: BoundFiles) -> None:
    """The proxy, a full bundle with our certificate last, and what goes past the proxy."""
    bind(places, PROXY, {"NO_PROXY": "corp.example"}, there)
    told = {name: value for name, _, value in (x.partition("=") for x in dotenv.block(places.file.read_bytes())[1:-1])}
    assert told == {
        "HTTPS_PROXY": PROXY.url,
        "SSL_CERT_FILE": f'"{places.bundle}"',
        "NO_PROXY": "localhost,127.0.0.1,::1,corp.example",
    }
    inside = certificates(places.bundle.read_bytes())
    assert len(inside) > 10
    assert inside[-1].decode() == CERTIFICATE.rstrip()


def test_after_a_renewal_the_bundle_has_both_and_the_client_is_bound_as_before(run: Run, home: Path) -> None:
    """Nothing has to be bound again: the file that the block names follows the authority."""
    folder = home / "ca"
    ca.create(folder, clock.now())
    assert run("bind", "--force").code == 0
    block = (home.parent / ".env").read_bytes()
    before = certificates((folder / "bundle.pem").read_bytes())
    new = ca.renew(folder, clock.now(), force=True)
    both = certificates(new.trusted_file.read_bytes())
    assert certificates((folder / "bundle.pem").read_bytes()) == [*before[:-1], *both]
    assert (len(both), both[-1]) == (2, before[-1])
    ran = run("bind", "--force")
    assert "already" in ran.out
    assert certificates((folder / "bundle.pem").read_bytes()) == [*before[:-1], *both]
    assert (home.parent / ".env").read_bytes() == block


def test_binding_again_changes_nothing(places: BoundFiles) -> None:
    """Neither the file nor its time, and no second copy."""
    places.file.write_bytes(USERS)
    bind(places, PROXY, {}, there)
    before = (places.file.read_bytes(), places.file.stat().st_mtime_ns, beside(places.file))
    result = bind(places, PROXY, {}, there)
    assert result.data["changed"] is False  # type: ignore[index]
    assert (places.file.read_bytes(), places.file.stat().st_mtime_ns, beside(places.file)) == before


def test_binding_to_another_proxy_replaces_the_block(places: BoundFiles) -> None:
    places.file.write_bytes(USERS)
    bind(places, PROXY, {}, there)
    bind(places, OTHER, {}, there)
    assert places.file.read_bytes().count(b"HTTPS_PROXY") == 1
    assert beside(places.file) == [".env", ".env.before-codex-rotate"]
    unbind(places.file)
    assert places.file.read_bytes() == USERS


def test_a_copy_is_kept_before_the_first_change(places: BoundFiles) -> None:
    """And while the file says something else, so that nothing of the user's can be lost."""
    places.file.write_bytes(USERS)
    result = bind(places, PROXY, {}, there)
    copy = places.file.with_name(".env.before-codex-rotate")
    assert copy.read_bytes() == USERS
    assert str(copy) in result.message
    places.file.write_bytes(places.file.read_bytes() + b"B=2\n")
    unbind(places.file)
    assert places.file.read_bytes() == USERS + b"\r\nB=2\n"
    assert copy.read_bytes() == USERS
    bind(places, PROXY, {}, there)
    assert beside(places.file) == [".env", ".env.before-codex-rotate", ".env.before-codex-rotate-2"]
    assert copy.read_bytes() == USERS


def test_the_users_own_no_proxy_in_the_file_is_merged(places: BoundFiles) -> None:
    """The block overrides it; the environment's one would have been overridden by it."""
    places.file.write_bytes(b"NO_PROXY=old\nNO_PROXY='corp.example'\n")
    bind(places, PROXY, {"NO_PROXY": "shell.example"}, there)
    assert dotenv.block(places.file.read_bytes())[-2] == "NO_PROXY=localhost,127.0.0.1,::1,corp.example"


@posix
def test_modes_and_links_stay(places: BoundFiles, tmp_path: Path) -> None:
    """A new file is its owner's only; the copy is as open as the file."""
    bind(places, PROXY, {}, there)
    assert stat.S_IMODE(places.file.stat().st_mode) == 0o600
    unbind(places.file)
    real = tmp_path / "dotfiles" / "env"
    real.parent.mkdir()
    real.write_bytes(USERS)
    real.chmod(0o640)
    places.file.symlink_to(real)
    bind(places, PROXY, {}, there)
    assert places.file.is_symlink()
    assert b"HTTPS_PROXY" in real.read_bytes()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    copy = places.file.with_name(".env.before-codex-rotate")
    assert (stat.S_IMODE(copy.stat().st_mode), copy.is_symlink()) == (0o640, False)
    unbind(places.file)
    assert (places.file.is_symlink(), real.read_bytes()) == (True, USERS)
    assert [each.name for each in real.parent.iterdir()] == ["env"]


def test_a_client_that_never_ran_has_no_folder_yet(places: BoundFiles, tmp_path: Path) -> None:
    new = replace(places, file=tmp_path / "new" / ".env")
    bind(new, PROXY, {}, there)
    assert new.file.exists()


# --- refusing --------------------------------------------------------------------------------------------------------


def refused(places: BoundFiles, error: type[Exception], words: str, *, force: bool = False) -> None:
    """Nothing is written anywhere."""
    before = places.file.read_bytes() if places.file.exists() else None
    with pytest.raises(error, match=words):
        bind(places, PROXY, {}, there, BindMode(force=force))
    assert (places.file.read_bytes() if before is not None else None) == before
    assert not places.bundle.exists()
    assert beside(places.file) == ([] if before is None else [".env"])


def test_a_proxy_that_does_not_answer(places: BoundFiles) -> None:
    """Such a block would cut the client off. --force is for who knows better."""
    with pytest.raises(ProxyDoesNotAnswer, match=r"127\.0\.0\.1 port 8118.*--force"):
        bind(places, PROXY, {}, not_there)
    assert (places.file.exists(), places.bundle.exists()) == (False, False)
    bind(places, PROXY, {}, not_there, BindMode(force=True))
    assert places.file.exists()


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "SSL_CERT_FILE"])
def test_settings_of_the_users_own(places: BoundFiles, name: str) -> None:
    """They are named by line, and only --force overrides them; unbind brings them back."""
    content = f"A=1\nexport {name}='secret'\n".encode()
    places.file.write_bytes(content)
    refused(places, UsersOwn, f"line 2 sets {name}.*--force")
    bind(places, PROXY, {}, there, BindMode(force=True))
    assert places.file.read_bytes().startswith(content)
    unbind(places.file)
    assert places.file.read_bytes() == content


@pytest.mark.parametrize("force", [False, True])
def test_a_damaged_block_is_left_to_its_owner(places: BoundFiles, *, force: bool) -> None:
    """Both ways, whatever is forced: what was there before cannot be told."""
    places.file.write_bytes(dotenv.bind(b"A=1\n", {"HTTPS_PROXY": "http://a:1"}).replace(b"a:1", b"a:2"))
    refused(places, Damaged, "line 2: .* by hand", force=force)
    with pytest.raises(Damaged, match="line 2"):
        unbind(places.file)


def test_a_quote_that_hides_the_block(places: BoundFiles) -> None:
    places.file.write_bytes(b"A=1\nB='x\n")
    refused(places, OpenQuote, "line 2: a quote is never closed")
    assert places.file.read_bytes() == b"A=1\nB='x\n"


def test_no_authority(places: BoundFiles) -> None:
    places.ca_certificate.unlink()
    refused(places, NoCaCertificate, "codex-rotate ca create")
    assert not places.file.exists()


def test_something_else_under_that_name(places: BoundFiles) -> None:
    places.file.mkdir()
    for work in (lambda: bind(places, PROXY, {}, there), lambda: unbind(places.file)):
        with pytest.raises(FileUnusable, match="not an ordinary file"):
            work()


# --- showing ---------------------------------------------------------------------------------------------------------


def test_a_dry_run_writes_nothing_and_shows_only_our_lines(places: BoundFiles) -> None:
    """The user's lines may be secrets."""
    places.file.write_bytes(USERS)
    result = bind(places, PROXY, {}, there, BindMode(dry_run=True))
    assert f"+ HTTPS_PROXY={PROXY.url}" in result.message.splitlines()
    assert "sk-secret" not in result.message + str(result.data)
    assert (places.file.read_bytes(), beside(places.file)) == (USERS, [".env"])
    assert not places.bundle.exists()
    bind(places, PROXY, {}, there)
    bound = places.file.read_bytes()
    lines = bind(places, OTHER, {}, there, BindMode(dry_run=True)).message.splitlines()
    assert (f"- HTTPS_PROXY={PROXY.url}" in lines, f"+ HTTPS_PROXY={OTHER.url}" in lines) == (True, True)
    lines = unbind(places.file, dry_run=True).message.splitlines()
    assert f"- HTTPS_PROXY={PROXY.url}" in lines
    assert "stay as it is" in bind(places, PROXY, {}, there, BindMode(dry_run=True)).message
    assert places.file.read_bytes() == bound


def test_what_would_undo_it_is_told(places: BoundFiles) -> None:
    """A NO_PROXY that has the provider's host."""
    assert bind(places, PROXY, {"NO_PROXY": "corp.example"}, there).notes == ()
    (note,) = bind(places, PROXY, {"NO_PROXY": "*"}, there).notes
    assert "NO_PROXY has *" in note


def test_the_commands(run: Run, places: BoundFiles, listening: str) -> None:
    """One JSON value each, or words that say what to do next."""
    places.file.write_bytes(USERS)
    assert run("bind", "--proxy", listening, "--dry-run", "--json").json["dry_run"] is True
    data = run("bind", "--proxy", listening, "--json").json
    assert (data["changed"], data["proxy"], data["file"]) == (True, listening, str(places.file))
    ran = run("bind", "--proxy", listening)
    assert (ran.code, "already" in ran.out) == (0, True)
    ran = run("unbind")
    assert (ran.code, "no longer bound" in ran.out) == (0, True)
    assert places.file.read_bytes() == USERS
    ran = run("unbind", "--json")
    assert (ran.code, ran.json["changed"]) == (0, False)
    assert "not bound" in run("unbind").out


def test_wrong_usage_and_refusals_are_one_line(run: Run, places: BoundFiles) -> None:
    assert run("bind", "--proxy", "127.0.0.1:8118").code == 2
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"http://127.0.0.1:{server.getsockname()[1]}"
    ran = run("bind", "--proxy", closed)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert run("bind", "--proxy", closed, "--json").json["exit_code"] == 1
    assert run("bind", "--proxy", closed, "--force").code == 0


# --- a proxy that ends -----------------------------------------------------------------------------------------------

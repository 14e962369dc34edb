"""The recipe for a sandbox or a CI job, followed as it stands: what is inside opens nothing but the proxy, for one
account, until it ends."""

import json
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from accounts.people.virtual_login import BEARER, key_in
from accounts.store.store import Store
from config import clock
from tests.e2e.codex import Ran, finish
from tests.e2e.conftest import ONE_TRANSPORT
from tests.e2e.desk import Desk, open_desk
from tests.e2e.test_team import section
from tests.e2e.test_virtual_login import serving
from tests.harness import plain_environment

RECIPE = "A sandbox or a CI job without any token"


@pytest.fixture
def desk(binary: Path, transport: str, tmp_path: Path) -> Iterator[Desk]:
    with open_desk(binary, tmp_path / "a desk", transport, cold=False) as desk:
        desk.rotate("label", "acc-2", "work")
        yield desk


def follow(desk: Desk) -> tuple[Path, Path]:
    """The owner's lines of the recipe: the login and the certificate that they give."""
    login = desk.folder / "work" / "ci-auth.json"
    *lines, certificate, serves = section(RECIPE)
    assert serves.startswith("codex-rotate serve")
    for line in lines:
        desk.rotate(*(str(login) if word == login.name else word for word in shlex.split(line)[1:]))
    return login, Path(desk.rotate(*shlex.split(certificate)[1:]).strip())


def inside(desk: Desk, box: Path, proxy: str) -> Ran:
    """A turn in there, with the two variables of the recipe and nothing of ours beside them."""
    environ = {
        **plain_environment(),
        "HOME": str(box),
        "CODEX_HOME": str(box),
        "HTTPS_PROXY": proxy,
        "CODEX_CA_CERTIFICATE": str(box / "codex-rotate.pem"),
    }
    process = subprocess.Popen(
        desk.client("say hi"), env=environ, cwd=desk.folder / "work", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    return finish(process)


@ONE_TRANSPORT
def test_what_is_inside_opens_nothing_else(desk: Desk) -> None:
    box = desk.folder / "box"
    box.mkdir()
    with serving(desk) as told:
        login, certificate = follow(desk)
        (box / "auth.json").write_bytes(login.read_bytes())
        (box / "codex-rotate.pem").write_bytes(certificate.read_bytes())
        kept = b"".join(each.read_bytes() for each in box.iterdir())
        assert not any(token.encode() in kept for token in tokens(desk))

        ran = inside(desk, box, told["HTTPS_PROXY"])
        assert (ran.code, ran.out) == (0, "Hello from acc-2.\n"), ran.err
        assert set(desk.served_by()) == {"acc-2"}
        kept = b"".join(each.read_bytes() for each in box.rglob("*") if each.is_file())
        assert not any(token.encode() in kept for token in tokens(desk))

        end_now(desk, login)
        seen = len(desk.served_by())
        ran = inside(desk, box, told["HTTPS_PROXY"])
        assert (ran.code, ran.out) == (1, "")
        assert "The key ci-login, which this client shows, has expired." in ran.err
        assert "Reconnecting" not in ran.err
        assert len(desk.served_by()) == seen


def tokens(desk: Desk) -> list[str]:
    """All that opens an account."""
    logins = [each.auth_json()["tokens"] for each in desk.accounts]
    return [each[name] for each in logins for name in ("access_token", "refresh_token")]


def end_now(desk: Desk, login: Path) -> None:
    """Its day is over."""
    secret = key_in(BEARER + json.loads(login.read_text())["tokens"]["access_token"])
    with Store(desk.folder / "rotate" / "pool.db") as store:
        (key,) = [each for each in store.people.client_keys() if each.person == "ci"]
        assert key.expires_at is not None
        assert 86_000 < key.expires_at - clock.now() < 86_401
        store.people.put_key(replace(key, expires_at=clock.now() - 1), secret).result()

"""What the tests of the CLI share: an own home, logins on disk, and a way to run a command and see what it said."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest

from accounts.model import Account, Credentials
from accounts.store.store import Store
from cli.app import main

type WriteLogin = Callable[..., Path]
type Run = Callable[..., "Ran"]
type Fill = Callable[..., tuple[Account, ...]]


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one value on stdout; fails when there is more or less."""
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the real home, and the terminal's width and colours are not the developer's."""
    for name in ("HOME", "USERPROFILE", "CODEX_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("CODEX_CLI_AUTH_PATH", "CODEX_ROTATE_CHATGPT_BASE_URL", "COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CODEX_ROTATE_HOME", str(tmp_path / "rotate home"))
    return tmp_path / "rotate home"


@pytest.fixture
def write_login(tmp_path: Path) -> WriteLogin:
    """Writes the auth.json of the seat `name`; `turn` counts its logins, so that a later one has newer tokens."""

    def write(name: str, *, turn: int = 1, email: str | None = None, account: str | None = None) -> Path:
        auth = {"chatgpt_account_id": account or f"acct-{name}", "chatgpt_user_id": f"user-{name}"}
        claims = {"https://api.openai.com/auth": auth | {"chatgpt_plan_type": "pro"}, "exp": 1_000_000 * turn}
        claims |= {"email": email or f"{name}@example.com"}
        token = jwt.encode(claims, "a test signs with a key that is long enough", algorithm="HS256")
        tokens = {"access_token": token, "id_token": token, "refresh_token": f"refresh-secret-{name}-{turn}"}
        path = tmp_path / f"{name}-{turn}.json"
        path.write_text(json.dumps({"tokens": tokens, "last_refresh": f"2020-01-{turn:02}T00:00:00Z"}))
        return path

    return write


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs one command line in this process."""

    def run_command(*argv: str | Path) -> Ran:
        capsys.readouterr()
        code = main([str(word) for word in argv])
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return run_command


@pytest.fixture
def fill(home: Path) -> Fill:
    """Puts one account per label into the pool, oldest first."""

    def put(*labels: str, **fields: Any) -> tuple[Account, ...]:
        with Store(home / "pool.db") as store:
            for age, label in enumerate(labels):
                values = {"account_id": f"acct-{label}", "user_id": "u", "email": f"{label}@example.com", **fields}
                account = Account(label=label, added_at=float(age), **values)
                store.put_account(account, Credentials(access=f"access-{label}", refresh=f"refresh-{label}"))
            store.flush()
            return store.accounts()

    return put

"""What the tests of the pool share: an own home, and test tokens made at run time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest

type MakeToken = Callable[..., str]

AUTH_CLAIM = "https://api.openai.com/auth"


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the real home."""
    for name in ("HOME", "USERPROFILE", "CODEX_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("CODEX_ROTATE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CODEX_CLI_AUTH_PATH", raising=False)
    return tmp_path / "home"


@pytest.fixture
def make_token() -> MakeToken:
    """A signed test token with these claims in the provider's claim object, and others beside it."""

    def make(auth: dict[str, Any] | None = None, **beside: Any) -> str:
        claims = beside if auth is None else {AUTH_CLAIM: auth, **beside}
        return jwt.encode(claims, "a test signs with a key that is long enough", algorithm="HS256")

    return make

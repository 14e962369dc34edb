"""Where things live, and the modes they are kept in. One folder holds everything of ours."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import platformdirs

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600


def home(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of this product: `CODEX_ROTATE_HOME`, else the platform's place for user data."""
    chosen = environ.get("CODEX_ROTATE_HOME")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_data_dir("codex-rotate", appauthor=False))


def pool_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The pool's SQLite database."""
    return home(environ) / "pool.db"


def backups_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Copies of the pool."""
    return home(environ) / "backups"


def locks_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Lock files of the accounts, and marks of refreshes under way."""
    return home(environ) / "locks"


def logs_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """What proxies in the background have to say."""
    return home(environ) / "logs"


def ca_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The certificate authority: mitmproxy's `confdir`."""
    return home(environ) / "ca"


def debug_ca_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The certificate authority of `serve --intercept-all`, which can vouch for any host."""
    return home(environ) / "debug-ca"


def client_key_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The client key that the owner's own commands use, once clients need one."""
    return home(environ) / "client.key"


def config_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The user's settings."""
    return home(environ) / "config.toml"


def codex_home(environ: Mapping[str, str] = os.environ) -> Path:
    """The official client's own folder: `CODEX_HOME`, else `~/.codex`."""
    chosen = environ.get("CODEX_HOME")
    return Path(chosen).expanduser() if chosen else Path.home() / ".codex"


def codex_dotenv_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Variables that the official client sets for itself at its start."""
    return codex_home(environ) / ".env"


def codex_auth_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The official client's login; `CODEX_CLI_AUTH_PATH` names another file."""
    chosen = environ.get("CODEX_CLI_AUTH_PATH")
    return Path(chosen).expanduser() if chosen else codex_home(environ) / "auth.json"


def codex_accounts_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Where several logins are kept beside the client's one; `CODEX_CLI_ACCOUNTS_PATH` names another file."""
    chosen = environ.get("CODEX_CLI_ACCOUNTS_PATH")
    return Path(chosen).expanduser() if chosen else codex_home(environ) / "accounts.json"


def make_private_folder(path: Path) -> None:
    """Create `path` for its owner only, and what it is in where that is missing; a folder that others can read is
    closed to them."""
    for missing in reversed([each for each in path.parents if not each.exists()]):
        missing.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) != PRIVATE_FOLDER:
        path.chmod(PRIVATE_FOLDER)


def make_private_file(path: Path) -> None:
    """Close an existing file to everybody but its owner."""
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) != PRIVATE_FILE:
        path.chmod(PRIVATE_FILE)

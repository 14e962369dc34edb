"""`demo`: the main job, on this machine only. A spent, a revoked and a good account; turns that do not notice."""

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from accounts.auth_file import read_auth_file
from accounts.errors import RotateError
from accounts.store import Store
from cli import demo_client
from cli.processes import Background, Finished, run
from cli.result import Result, Table
from config import clock, paths
from standin import Fault, FaultKind, SeenRequest, StandIn
from standin.redirect import PORT

ROOT: Final = Path(__file__).resolve().parent.parent
PROMPT: Final = "Say hello."
TURN_SECONDS: Final = 90.0
TRANSPORTS: Final = {"WebSocket": "auto", "HTTP": "sse"}
GENERATION: Final = "/backend-api/codex/responses"
QUIET: Final = (
    "features.apps=false",
    "features.plugins=false",
    "features.remote_plugin=false",
    "analytics.enabled=false",
    'otel.metrics_exporter="none"',
)
"""What keeps the official CLI from looking for anything but the model: there is nothing else on loopback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One turn: over what, what the user saw, how long it took, and what upstream saw."""

    transport: str
    finished: Finished
    seconds: float
    happened: tuple[str, ...]


def demo() -> Result:
    """Play one turn over each transport and tell what happened."""
    client = find_client(os.environ)
    with tempfile.TemporaryDirectory(prefix="codex-rotate-demo-") as folder:
        played = [play(Path(folder) / option, name, option, client) for name, option in TRANSPORTS.items()]
    return report(played, client)


def find_client(environ: Mapping[str, str]) -> tuple[str, ...]:
    """How to start the official CLI: named by CODEX_BIN, on the PATH, of this clone's tests, or by npx. Empty: none."""
    installed = ROOT / "tests" / "e2e" / "node_modules" / ".bin" / "codex"
    for found in (environ.get("CODEX_BIN"), shutil.which("codex"), str(installed) if installed.exists() else None):
        if found:
            return (found,)
    npx = shutil.which("npx")
    return (npx, "--yes", "@openai/codex") if npx else ()


def play(folder: Path, transport: str, option: str, client: Sequence[str]) -> Played:
    """One turn with a fresh pool, a fresh proxy and a fresh stand-in."""
    folder.mkdir()
    with StandIn() as upstream:
        home_login = upstream.add_account("home", user_id="user-home", email="you@example.com").auth_json()
        fill_pool(folder / "rotate", upstream)
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CODEX_ROTATE_")},
            "CODEX_ROTATE_HOME": str(folder / "rotate"),
            "CODEX_REFRESH_TOKEN_URL_OVERRIDE": upstream.token_url,
            PORT: str(upstream.port),
        }
        with Background(proxy_argv(folder, option, upstream), environ) as proxy:
            listening, _ = proxy.wait_for(("listening at", "accounts from"))
            found = re.search(r"listening at \S*?:(\d+)", listening)
            if found is None:
                raise RotateError(f"mitmdump did not say where it listens: {listening.strip()}. Report this line.")
            began = clock.monotonic()
            finished = take_turn(f"http://127.0.0.1:{found.group(1)}", folder, home_login, client)
            seconds = clock.monotonic() - began
        happened = tuple(told(request) for request in upstream.requests_to(GENERATION))
    return Played(transport=transport, finished=finished, seconds=seconds, happened=happened)


def fill_pool(home: Path, upstream: StandIn) -> None:
    """A pool of three: one at its limit, one signed out by the provider, one that works."""
    paths.make_private_folder(home)
    with Store(home / "pool.db") as store:
        for n, name in enumerate(("spent", "revoked", "good")):
            account = upstream.add_account(name, user_id=f"user-{name}", email=f"{name}@example.com", plan="plus")
            login = home / "login.json"
            login.write_text(json.dumps(account.auth_json()))
            read = read_auth_file(login)
            login.unlink()
            store.put_account(replace(read.account, label=name, added_at=float(n)), read.credentials).result()
            if name == "revoked":
                account.revoke()
    upstream.fault("spent", Fault(FaultKind.USAGE_LIMIT, resets_in=3600))
    upstream.answer_with("good", "Hello! Nothing to see here.")


def proxy_argv(folder: Path, option: str, upstream: StandIn) -> list[str]:
    start = "import sys; from mitmproxy.tools.main import mitmdump; sys.exit(mitmdump())"
    settings = {
        "confdir": folder / "ca",
        "rotate_transport": option,
        "ssl_verify_upstream_trusted_ca": upstream.ca_file,
        "listen_host": "127.0.0.1",
        "listen_port": 0,
    }
    scripts = ["-s", str(ROOT / "rotate.py"), "-s", str(ROOT / "standin" / "redirect.py")]
    return [sys.executable, "-c", start, *scripts, *(x for k, v in settings.items() for x in ("--set", f"{k}={v}"))]


def take_turn(proxy: str, folder: Path, home_login: Mapping[str, object], client: Sequence[str]) -> Finished:
    """The user's side: the official CLI, or the built-in client, with nothing but the proxy and its certificate."""
    ca_file = folder / "ca" / "mitmproxy-ca-cert.pem"
    if not client:
        return demo_client.ask(proxy, ca_file, home_login, PROMPT)
    codex_home = folder / "codex"
    codex_home.mkdir()
    (codex_home / "auth.json").write_text(json.dumps(home_login))
    environ = {
        **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
        "HTTPS_PROXY": proxy,
        "NO_PROXY": "localhost,127.0.0.1,::1",
        "CODEX_CA_CERTIFICATE": str(ca_file),
        "CODEX_HOME": str(codex_home),
    }
    quiet = [word for setting in QUIET for word in ("-c", setting)]
    return run([*client, "exec", "--skip-git-repo-check", *quiet, PROMPT], environ, folder, TURN_SECONDS)


def told(request: SeenRequest) -> str:
    meanings = {429: "at its limit", 401: "signed out", 101: "answered", 200: "answered"}
    return f"{request.account_id} {request.status} {meanings.get(request.status or 0, '')}".strip()


def report(played: Sequence[Played], client: Sequence[str]) -> Result:
    """What the user saw beside what happened. Exit code 1 when a turn did not come through."""
    good = all(turn.finished.code == 0 and turn.happened for turn in played)
    rows = tuple(
        (turn.transport, turn.finished.out.strip() or "(nothing)", f"{turn.seconds:.1f} s", " → ".join(turn.happened))
        for turn in played
    )
    table = Table(
        columns=("turn over", "what the user saw", "took", "what happened upstream"),
        rows=rows,
        wrapped=frozenset({"what the user saw", "what happened upstream"}),
    )
    who = "the official Codex CLI" if client else "the built-in client (npm's @openai/codex is not installed)"
    ending = f"Played by {who}; every connection stayed on this machine."
    if not good:
        said = " / ".join(turn.finished.err.strip()[-400:] for turn in played if turn.finished.code != 0)
        ending = f"A turn did not come through. The client said: {said or 'nothing'}"
    data = {
        "client": list(client) or "built-in",
        "turns": [
            {"transport": t.transport, "exit_code": t.finished.code, "answer": t.finished.out, "upstream": t.happened}
            for t in played
        ],
    }
    return Result(ending, data, exit_code=0 if good else 1, table=table)

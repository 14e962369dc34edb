"""What `--json` prints keeps its shape: programs read it. Keys and types are compared with tests/cli/json_shapes.json.

A new command needs a line in LINES. After a change that is meant, JSON_SHAPES=write writes the file again:

    JSON_SHAPES=write .venv/bin/python -m pytest tests/cli/test_json_shapes.py
"""

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer

from accounts.choice.decision_record import DECISION
from accounts.choice.quota import Window
from accounts.ledger.records import TokenCount, TurnOutcome, TurnRecord
from accounts.ledger.usage_db import UsageDb
from accounts.model import Affinity, Cooldown, Event, Standing
from accounts.store.store import Store
from cli.app import build
from config import clock, paths
from standin import StandIn
from tests.cli.logins import lead_to
from tests.harness import put, write_login

type Run = Callable[..., Any]

GOLDEN = Path(__file__).with_name("json_shapes.json")
WRITING = os.environ.get("JSON_SHAPES") == "write"
THREAD = "0199c0de-7a11-7000-8000-0000000000aa"

LINES: dict[str, tuple[str, ...]] = {
    "": (),
    "--version": (),
    "version": (),
    "help list": (),
    "no-such-command": (),
    "list": (),
    "use ann": (),
    "use": ("use ann",),
    "use --auto": ("use ann",),
    "pause ann": (),
    "resume ann": ("pause ann",),
    "label ann work": (),
    "tag ann mine": (),
    "priority ann 5": (),
    "reserve ann 10": (),
    "remove ann --yes": (),
    "import '{folder}/new.json'": (),
    "import '{folder}/new.json' '{folder}/auth.json' '{folder}/missing.json'": (),
    "export ann --out '{folder}/out.json'": (),
    "login --device": (),
    "logout ann --yes": (),
    "logout ann --revoke --yes": (),
    "backup create": (),
    "backup list": ("backup create one",),
    "backup restore one --yes": ("backup create one", "remove ann --yes"),
    "verify --all": (),
    "check": (),
    "check --live": (),
    "forecast": (),
    "forecast --explain": (),
    "best": (),
    "status": (),
    "events": ("pause ann",),
    "top": (),
    "script": (),
    "why": (),
    "usage": (),
    "usage --by person": (),
    "why --last 5": (),
    "why --thread " + THREAD: (),
    "sync pull": (),
    "sync push ann": ("sync pull",),
    "sync status": ("sync pull",),
    "ca create": (),
    "ca status": ("ca create",),
    "ca path": ("ca create",),
    "ca renew --force": ("ca create",),
    "env": ("ca create",),
    "bind --force": ("ca create",),
    "unbind": ("ca create", "bind --force"),
    "keys add ann": (),
    "keys add bob --host 127.0.0.1": (),
    "keys add bob --host 127.0.0.1 --out '{folder}/bob.toml'": (),
    "join '{folder}/bob.toml'": ("keys add bob --host 127.0.0.1 --out '{folder}/bob.toml'",),
    "join --remove": ("keys add bob --host 127.0.0.1 --out '{folder}/bob.toml'", "join '{folder}/bob.toml'"),
    "keys list": ("people add ann", "keys add ann", "keys add --person ann --label x --expires 1d"),
    "keys rotate ann": ("keys add ann",),
    "people add ann --tokens 2M/day --accounts ann": (),
    "people list": (
        "people add ann --tokens 2M/day --share 5% --at-once 2 --models m",
        "people add bob",
        "keys add --person ann --expires 1d",
    ),
    "people show ann": ("people add ann --tokens 2M/day", "keys add --person ann"),
    "people set ann --turns 9/day": ("people add ann",),
    "people pause ann": ("people add ann",),
    "people resume ann": ("people add ann",),
    "people login ann": ("people add ann",),
    "people remove ann": ("people add ann", "keys add --person ann"),
    "keys remove ann": ("keys add ann",),
    "doctor": (),
    "fix --dry-run": (),
    "fix": (),
    "report": (),
    "debug bundle --out '{folder}/bundle.zip'": (),
    "config path": (),
    "config init": (),
    "config show": ("config set park_seconds 5",),
    "config explain": ("config set park_seconds 5",),
    "config get strategy": (),
    "config set strategy drain": (),
    "config unset strategy": ("config set strategy drain",),
    "completion --shell bash": (),
}
"""Command lines whose value is frozen, and those that are run before each in a world of its own."""

ELSEWHERE = {
    "run": "what the client says, and nothing of ours; tests/cli/commands/use/test_run.py",
    "serve": "nothing before it is stopped; tests/cli/commands/use/test_serve.py",
    "open": "a proxy that runs; tests/cli/commands/see/test_open.py",
    "stop": "a proxy that runs; tests/cli/commands/use/test_stop.py",
    "demo": "a proxy and clients at work; tests/cli/demo/test_play.py",
    "notify test": "tells whom the settings name; tests/cli/commands/setup/test_notify.py",
    "explain": "needs a saved capture; tests/cli/commands/see/test_explain.py",
    "ca install": "changes what this machine trusts; tests/cli/commands/setup/test_trust.py",
    "ca uninstall": "changes what this machine trusts; tests/cli/commands/setup/test_trust.py",
}
"""Commands without a line, each with the reason."""


@pytest.fixture
def world(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Three accounts: one that serves, one that rests, one that needs a login; the client has a login of its own. The
    folder is for files."""
    (tmp_path / "programs").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    monkeypatch.chdir(tmp_path)
    with StandIn() as upstream:
        monkeypatch.setenv("CODEX_ROTATE_CHATGPT_BASE_URL", upstream.base_url)
        monkeypatch.setenv("CODEX_REFRESH_TOKEN_URL_OVERRIDE", upstream.token_url)
        lead_to(upstream, monkeypatch)
        seats = [upstream.add_account(name) for name in ("ann", "bob", "eve", "new", "own")]
        upstream.device_interval = 1
        upstream.approve_device("new")
        write_login(seats[3], tmp_path / "new.json")
        write_login(seats[4], tmp_path / "auth.json")  # CODEX_HOME is this folder
        with Store(home / "pool.db") as store:
            keys = [put(store, each, tmp_path, order) for order, each in enumerate(seats[:3])]
            _live_in(store, keys, clock.now())
        yield tmp_path


def _live_in(store: Store, keys: Sequence[str], now: float) -> None:
    """What a while of use leaves in the pool."""
    store.set_cooldown(keys[1], Cooldown(until=now + 3600, reason="usage_limit", since=now)).result()
    store.set_standing(keys[2], Standing.NEEDS_LOGIN).result()
    store.update_account(keys[0], tags=("team",)).result()
    for minutes, used in ((300, 40.0), (10080, 10.0)):
        window = Window(family="codex", minutes=minutes, used_percent=used, resets_at=now + 900, seen_at=now)
        store.set_windows(keys[0], (window,))
    store.save_affinity(Affinity(thread=THREAD, key=keys[0], used_at=now))
    attempts = [
        {"account": who, "why": "most is left", "kind": kind, "detail": "", "seconds": 0.5}
        for who, kind in (("bob", "usage_limit"), ("ann", "ok"))
    ]
    told = {"done": "delivered", "model": "gpt-5", "seconds": 1.0, "attempts": attempts}
    store.record(Event(at=now, kind=DECISION, key=keys[0], thread=THREAD, detail=json.dumps(told)))
    store.flush()
    ledger = UsageDb(paths.usage_file())
    tokens = TokenCount(input=7, cached=3, output=2)
    ledger.write(
        [
            TurnRecord(
                when=now, person="ann", account="ann", thread=THREAD, model=model, tokens=tokens, rule="r", outcome=end
            )
            for model, end in (("gpt-5", TurnOutcome.SERVED), ("gpt-of-tomorrow", TurnOutcome.REFUSED))
        ]
    )
    ledger.close()


def shape(values: Sequence[Any]) -> Any:
    """What these values have in common: the types there are, the keys of objects (a ? marks those that some lack), the
    shape of what is in lists."""
    names = {str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}
    found: list[Any] = sorted({names[type(each)] for each in values if type(each) in names})
    parts: list[Any] = [" or ".join(found)] if found else []
    if objects := [each for each in values if isinstance(each, dict)]:
        keys = sorted({key for each in objects for key in each})
        parts.append(
            {
                key + ("" if all(key in each for each in objects) else "?"): shape(
                    [each[key] for each in objects if key in each]
                )
                for key in keys
            }
        )
    if lists := [each for each in values if isinstance(each, list)]:
        inside = [item for each in lists for item in each]
        parts.append([shape(inside)] if inside else [])
    return parts[0] if len(parts) == 1 else {"any of": parts}


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Every command, with the groups it is in."""
    inner = getattr(command, "commands", {})
    for name, each in inner.items():
        yield from leaves(each, (*path, name))
    if not inner:
        yield " ".join(path)


def command_of(line: str, commands: Sequence[str]) -> str:
    """The command that a line runs, "" for none."""
    return next((each for each in commands if f"{line} ".startswith(f"{each} ")), "")


def golden() -> dict[str, Any]:
    return dict(json.loads(GOLDEN.read_text(encoding="utf-8"))) if GOLDEN.exists() else {}


def write(shapes: dict[str, Any]) -> None:
    ordered = {line: shapes[line] for line in LINES if line in shapes}
    GOLDEN.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere some values are null: modes, trust stores")
@pytest.mark.parametrize("line", LINES)
def test_the_shape_is_the_frozen_one(run: Run, world: Path, line: str) -> None:
    """One JSON value, whatever else the command says, with the keys and types that programs know."""
    for before in LINES[line]:
        assert run(*shlex.split(before.format(folder=world))).code == 0
    ran = run(*shlex.split(line.format(folder=world)), "--json")
    found = shape([ran.json])
    if line != "no-such-command":
        assert not (isinstance(found, dict) and "error" in found), ran.out
    if WRITING:
        write(golden() | {line: found})
    assert found == golden().get(line), f"{line}: if this is meant, write {GOLDEN.name} again (see above)"


def test_every_command_has_a_line() -> None:
    """Or a reason why it has none, which goes when it has one."""
    commands = sorted(leaves(typer.main.get_command(build())))
    shown = {command_of(line, commands) for line in LINES} - {""}
    assert sorted(set(commands) - shown) == sorted(ELSEWHERE)


def test_the_frozen_shapes_are_those_of_the_lines() -> None:
    """None is left over from a command that is gone."""
    if WRITING:
        write(golden())
    assert list(golden()) == list(LINES)


def test_shapes_tell_differences() -> None:
    """The comparison above sees keys, types and what is in lists, and not values."""
    assert shape([{"a": 1, "b": [None, "x"]}]) == {"a": "number", "b": ["null or string"]}
    assert shape([[{"a": 1}, {"a": 2.5, "b": True}]]) == [{"a": "number", "b?": "boolean"}]
    assert shape([[{"a": {}}, {"a": None}]]) == [{"a": {"any of": ["null", {}]}}]
    assert shape([[]]) == []

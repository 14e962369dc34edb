"""Whatever is wrong with a file or a disk: a command works or says in one line what to do, and nothing is lost.

One table: a trouble, what a person does, and what comes of it. Every row has a machine of its own: a pool of three
accounts, a backup of it, and the official client, which has renewed the tokens of the first account. The first row of
a trouble, and all rows of one that is about the process, are the real console script; the others run in this process.
"""

import codecs
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pytest

from tests.cli.machines import (
    SECRETS,
    Cause,
    Ran,
    Run,
    World,
    below_read_only,
    full_disk,
    huge,
    large_login,
    locked,
    login,
    login_is,
    pool_is,
    read_only,
    room,
    set_up,
    somebody_else_logs_in,
    somebody_elses,
)


@dataclass(frozen=True)
class Row:
    """What a person does and what comes of it: exit code, pieces of what is said (`|` between two that will do), the
    file that is written, and the accounts that change, with the number of their login afterwards (0: gone)."""

    words: str
    code: int
    says: tuple[str, ...]
    writes: str = ""
    pool: Mapping[str, int] = field(default_factory=dict)


def fails(words: str, *says: str, code: int = 1, **pool: int) -> Row:
    return Row(words, code, says, pool=pool)


def works(words: str, *says: str, writes: str = "", **pool: int) -> Row:
    return Row(words, 0, says, writes, pool)


LIST: Final = works("list", "ann@example.com", "cy@example.com")
STATUS: Final = works("sync status", "To be renewed with the client's tokens: ann.")
PULL: Final = works("sync pull", "Renewed with the client's tokens: ann.", ann=2)
PUSH: Final = works("sync push bob", "bob (bob@example.com) is now the", writes="codex/auth.json", ann=2)
IMPORT: Final = works("import {login}", "dan (dan@example.com) was added", dan=1)
BACKUP: Final = works("backup create new", "The backup new was made", writes="home/backups/new.db")
BACKUPS: Final = works("backup list", "mine")
EXPORT: Final = works("export bob --out {out}", "The login of bob was written", writes="out/new.json")
REMOVE: Final = works("remove cy --yes", "Its login is still in a backup: `codex-rotate backup list`", cy=0)
ALL: Final = (IMPORT, PULL, PUSH, STATUS, EXPORT, BACKUP, LIST, REMOVE)
RENEWED: Final = works("import {auth}", "It was renewed and keeps its label", ann=2)
NO_ROOM: Final = "Check who may write to its folder and that the disk has room"
AGAIN: Final = "run the command again"
ASIDE: Final = "then bring a backup back (`codex-rotate backup list`, `codex-rotate backup restore NAME`)"
THERE: Final = fails("export bob --out {auth}", "is there already and was left as it is. Add --force", code=2)


def refused(rows: tuple[Row, ...], *says: str) -> list[Row]:
    return [fails(row.words, *says) for row in rows]


def bad_login(said: str, said_by_import: str) -> list[Row]:
    correct = "Nothing was changed. Correct the file, or move it aside and run `codex login`."
    asked = fails("import {auth}", said_by_import, "Nothing was imported. Run `codex login` and try again.")
    return [asked, *refused((PULL, PUSH, STATUS), said, correct), THERE, LIST]


TABLE: Final[dict[str, tuple[Cause, list[Row]]]] = {
    "nothing goes wrong": (lambda _: None, [*ALL, BACKUPS, RENEWED, THERE]),
    "no file can grow": (room(0), [*refused(ALL, "pool.db cannot be used (disk I/O error)", NO_ROOM), BACKUPS]),
    "no room for a backup": (
        room(65_536),
        [fails(BACKUP.words, "backups cannot be used (disk I/O error)", NO_ROOM), LIST, STATUS],
    ),
    "no room for the client's file": (
        large_login,
        [fails(PUSH.words, "auth.json could not be written (File too large)", AGAIN, ann=2), IMPORT, PULL, STATUS],
    ),
    "the pool's disk is full": (
        full_disk("home"),
        [*refused(ALL, "pool.db cannot be used (it is on a disk that is full). Make room there"), BACKUPS],
    ),
    "every disk but the pool's is full": (
        full_disk("codex", "out", "backups"),
        [
            fails(PUSH.words, "auth.json could not be written (No space left on device)", AGAIN, ann=2),
            fails(EXPORT.words, "could not be written (No space left on device). Choose another file with --out"),
            fails(BACKUP.words, "backups cannot be used (it is on a disk that is full). Make room there"),
            *(IMPORT, PULL, STATUS),
        ],
    ),
    "the client's folder is read-only": (
        read_only("codex", "out"),
        [
            fails(PUSH.words, "auth.json could not be written (Permission denied)", "check who may write", AGAIN),
            fails(EXPORT.words, "could not be written (Permission denied). Choose another file with --out"),
            *(IMPORT, PULL, STATUS),
        ],
    ),
    "our own folders are read-only, and ours to open": (
        read_only("backups", "home"),
        [replace(row, says=(*row.says, "not be used by its owner", "now 0700")) for row in (IMPORT, LIST, BACKUP)],
    ),
    "a first start below a folder that is read-only": (
        below_read_only,
        refused(
            (IMPORT, LIST), "pool.db cannot be used (", "out is closed to its own user by its mode, 0500). Run `ch"
        ),
    ),
    "the pool's folder is somebody else's": (
        somebody_elses,
        [
            *refused((IMPORT, PUSH, LIST), "home belongs to nobody, and you are", "a folder of your own, or unset"),
            BACKUPS,
        ],
    ),
    "the pool is locked": (
        locked,
        [*refused((IMPORT,), "is being written by another process", "try again"), LIST, BACKUPS, BACKUP],
    ),
    "the client's login is cut off": (
        login_is(lambda text: text[: len(text) // 2]),
        bad_login("auth.json: it is not JSON.", "auth.json: it is not JSON."),
    ),
    "the client's login has 50 MB": (huge, bad_login("is larger than 1 MiB", "is larger than 16 MiB")),
    "somebody else logs in between two commands": (
        somebody_else_logs_in,
        [
            fails(PUSH.words, "the login of zoe@example.com, which is not in the pool", "Run `codex-rotate sync pull`"),
            works("sync status", "To be added: zoe."),
            works("sync pull", "Added: zoe.", zoe=1),
            works("import {auth}", "zoe (zoe@example.com) was added", zoe=1),
            THERE,
        ],
    ),
    **{
        f"the client's login has {name}": (login_is(change), [RENEWED, PULL, PUSH, STATUS])
        for name, change in {
            "a byte order mark": lambda text: codecs.BOM_UTF8 + text,
            "UTF-16": lambda text: codecs.BOM_UTF16_LE + text.decode().encode("utf-16-le"),
            "UTF-16, the other way round": lambda text: codecs.BOM_UTF16_BE + text.decode().encode("utf-16-be"),
            "CRLF": lambda text: text.replace(b"\n", b"\r\n"),
        }.items()
    },
    **{
        f"the pool is {kind}": (pool_is(kind), [*refused(ALL, "is not a readable account database", ASIDE), BACKUPS])
        for kind in ("text", "truncated", "overwritten inside")
    },
    "the pool is a newer version's": (
        pool_is("PRAGMA user_version = 99"),
        [*refused(ALL, "was written by a newer codex-rotate (schema 99", "left untouched: upgrade codex"), BACKUPS],
    ),
}


# --- the tests -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every row has a copy of."""
    return set_up(tmp_path_factory.mktemp("machine"))


@pytest.fixture
def worlds(machine: Path, tmp_path: Path) -> Iterator[Callable[[int], list[World]]]:
    with ExitStack() as cleaning:
        yield lambda count: [
            World(shutil.copytree(machine, tmp_path / str(number)), cleaning) for number in range(count)
        ]


def ran_at_once(machines: list[World], commands: list[str]) -> list[Ran]:
    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(World.run, machines, commands))


@pytest.mark.parametrize("trouble", TABLE)
def test_nothing_is_lost_and_the_way_out_is_said(trouble: str, worlds: Callable[[int], list[World]], run: Run) -> None:
    cause, rows = TABLE[trouble]
    machines = worlds(len(rows))
    for world in machines:
        cause(world)
    before = [(world.files(), world.accounts()) for world in machines]
    if machines[0].restrict:
        ran = ran_at_once(machines, [row.words for row in rows])
    else:
        ran = [machines[0].run(rows[0].words)]
        ran += [world.run_here(row.words, run) for world, row in zip(machines[1:], rows[1:], strict=True)]
    for world, row, done, (files, accounts) in zip(machines, rows, ran, before, strict=True):
        check_words(row, done)
        assert changed(files, world.files()) == set(filter(None, [row.writes])), row
        assert changed(accounts, after := world.accounts()) == row.pool.keys(), row
        logins = {label: f"refresh-secret-of-{label}-{turn}" for label, turn in row.pool.items() if turn}
        assert {label: after[label]["refresh"] for label in row.pool if label in after} == logins, row
        if world.auth.name in row.writes:
            document = json.loads(world.auth.read_text())
            assert document["tokens"] == {**login("bob", 1)["tokens"], "account_id": "acct-bob"}
            assert document["odd"] == "ü"


def check_words(row: Row, done: Ran) -> None:
    shown = done.out + done.err
    told = f"{row.words}: {done.code}\n{shown}"
    assert done.code == row.code, told
    assert all(any(way in shown for way in piece.split("|")) for piece in row.says), f"{row.says} not in {told}"
    assert row.code == 0 or (done.out, done.err.count("\n")) == ("", 1), told
    assert "Traceback" not in shown, told
    assert not [secret for secret in SECRETS if secret in shown], row


def changed(before: Mapping[str, object], after: Mapping[str, object]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


SIZES: Final = range(24 * 1024, 160 * 1024, 12 * 1024)


@pytest.mark.parametrize(
    "words",
    [
        "remove cy --yes",
        "import {login}",
        "sync push cy",
    ],
)
def test_what_is_said_is_true_wherever_the_disk_ends(words: str, worlds: Callable[[int], list[World]]) -> None:
    """A disk that is full in the middle of a command: it is done and says so, or it is not done at all."""
    machines = worlds(len(SIZES))
    for world, size in zip(machines, SIZES, strict=True):
        room(size)(world)
    before = [(world.files(), world.accounts().keys()) for world in machines]
    said = [done.code == 0 for done in ran_at_once(machines, [words] * len(SIZES))]
    after = [(world.files(), world.accounts().keys()) for world in machines]
    assert (said[0], said[-1]) == (False, True)
    assert said == [was != now for was, now in zip(before, after, strict=True)]

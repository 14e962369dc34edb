"""Where nobody lets us look or write: every command says in one line whose doing that is and what to do, and `doctor`
and `report` go on with what they can look at, without calling the rest all right."""

import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cli.machines import (
    Cause,
    Ran,
    World,
    closed_by_another,
    read_only_disk,
    run_as_root_once,
    set_up,
)

OPENING: Final = (
    *("list", "status", "why", "why --last 3", "forecast", "best", "use", "use ann", "pause ann", "resume ann"),
    *("label ann x", "tag ann", "priority ann 1", "reserve ann 1", "remove ann --yes", "import {login}"),
    *("export bob --out {out}", "login --manual", "logout ann --yes", "verify", "check", "sync status", "sync pull"),
    *("sync push bob", "backup list", "backup create new", "backup restore mine --yes", "keys list", "keys add bob"),
    *("ca status", "ca create", "ca renew", "env", "bind", "config show", "config set strategy drain", "config init"),
    *("run true", "serve"),
)
"""Every command that needs something in our folder."""
SOME: Final = ("list", "status", "run true", "serve")

type Worlds = Callable[[Cause, int], list[World]]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return set_up(tmp_path_factory.mktemp("machine"))


@pytest.fixture
def worlds(machine: Path, tmp_path: Path) -> Iterator[Worlds]:
    numbers = itertools.count()
    with ExitStack() as cleaning:

        def made(cause: Cause, count: int) -> list[World]:
            found = [World(shutil.copytree(machine, tmp_path / str(next(numbers))), cleaning) for _ in range(count)]
            for each in found:
                cause(each)
            return found

        yield made


def ran(worlds: Worlds, cause: Cause, commands: tuple[str, ...]) -> list[tuple[str, World, Ran]]:
    """Each command on a machine of its own, which it must leave as it was."""
    machines = worlds(cause, len(commands))
    before = [world.files() for world in machines]
    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(World.run, machines, commands))
    assert [world.files() for world in machines] == before
    return list(zip(commands, machines, done, strict=True))


def expect_refusal(command: str, done: Ran, *says: str) -> None:
    told = f"{command}: {done.code}\n{done.out}{done.err}"
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1), told
    assert "Traceback" not in told
    assert all(each in done.err for each in says), told


def test_after_one_run_as_root_every_command_says_how_it_becomes_the_user_s_again(worlds: Worlds) -> None:
    """As another user for real."""
    for command, world, done in ran(worlds, run_as_root_once("home"), OPENING):
        mend = f"Run `sudo chown -R nobody {world.home}`"
        expect_refusal(command, done, "belongs to root, and you are nobody", mend, "run as another user here.")


def test_the_pool_of_another_user_is_nobody_s_to_take(worlds: Worlds) -> None:
    """No command is suggested that would take it from them."""
    for command, world, done in ran(worlds, closed_by_another, SOME):
        expect_refusal(
            command, done, f"{world.home} belongs to nobody, and you are root). A pool is one user's: set CODEX_"
        )
        assert "chown" not in done.err


@pytest.mark.parametrize(
    ("names", "commands"),
    [
        (("home/pool.db",), ("list", "serve")),
        (("home/ca",), ("ca status", "run true", "env")),
        (("home/proxies",), ("run true",)),
        (("home/logs",), ("run true",)),
        (("home/backups",), ("backup list", "backup create new")),
        (("home/config.toml",), ("config show", "status")),
    ],
)
def test_a_part_of_our_folder_that_is_root_s(worlds: Worlds, names: tuple[str, ...], commands: tuple[str, ...]) -> None:
    """Whatever a command needs of it is said to be the trouble; all of it becomes the user's with one command."""

    def cause(world: World) -> None:
        for name in names:
            place = world.folder / name
            if not place.exists() and place.suffix:
                place.write_text("")
            elif not place.suffix:
                place.mkdir(exist_ok=True)
        run_as_root_once(*names)(world)

    for command, world, done in ran(worlds, cause, commands):
        expect_refusal(command, done, names[0], "belongs to root", f"Run `sudo chown -R nobody {world.home}`")


def test_a_folder_above_ours_that_root_has_left_closed(worlds: Worlds) -> None:
    """That one is what refuses, and what becomes the user's."""

    def cause(world: World) -> None:
        (world.folder / "share").mkdir()
        world.environ["CODEX_ROTATE_HOME"] = str(world.folder / "share" / "ours")
        run_as_root_once("share")(world)

    for command, world, done in ran(worlds, cause, ("list", "ca status")):
        closed = world.folder / "share"
        expect_refusal(command, done, f"({closed} belongs to root, and you", f"Run `sudo chown -R nobody {closed}`")


def test_a_disk_that_can_only_be_read(worlds: Worlds) -> None:
    for command, world, done in ran(worlds, read_only_disk, SOME):
        expect_refusal(
            command, done, f"{world.pool} cannot be used (", "a disk that can only be read). Have that disk mounted"
        )


def below_a_file(world: World) -> None:
    world.environ["CODEX_ROTATE_HOME"] = str(world.folder / "dan.json" / "x")


def test_a_folder_below_a_file(worlds: Worlds) -> None:
    """One that is a file itself is refused for what it is (tests/config/test_paths.py)."""
    for command, world, done in ran(worlds, below_a_file, ("list", "status", "run true")):
        file = world.folder / "dan.json"
        expect_refusal(
            command, done, f"({file} is a file, where a folder has to be). Move it aside, or set CODEX_ROTATE_HOME"
        )


def a_folder_for_a_pool(world: World) -> None:
    world.pool.unlink()
    world.pool.mkdir(mode=0o755)


def test_a_pool_that_is_a_folder(worlds: Worlds) -> None:
    """It is left as it is, its mode included."""
    for command, world, done in ran(worlds, a_folder_for_a_pool, ("list", "serve")):
        expect_refusal(
            command, done, "pool.db cannot be used (it is a folder, where a file has to be). Move it aside, then"
        )
        assert world.pool.stat().st_mode & 0o777 == 0o755


# --- doctor and report -----------------------------------------------------------------------------------------------

FINE: Final = ("for their owner only", "no backup", "can serve now", "No proxy of this pool runs")
"""What nobody can know who cannot look."""


def findings(done: Ran) -> dict[str, dict[str, Any]]:
    assert "Traceback" not in done.err, done.err
    return {each["name"]: each for each in json.loads(done.out)["findings"]}


@pytest.mark.parametrize("cause", [run_as_root_once("home", "codex"), closed_by_another], ids=["root's", "another's"])
def test_doctor_and_report_go_on_where_they_cannot_look(worlds: Worlds, cause: Cause) -> None:
    """Of each part it is said that it cannot be looked at; the rest is judged as ever."""
    (_, world, doctor), (_, _, report), (_, _, words) = ran(worlds, cause, ("doctor --json", "report --json", "report"))
    assert (doctor.code, report.code, words.code) == (1, 0, 0), doctor.err + report.err
    found = findings(doctor)
    assert found["storage.pool"]["state"] == "problem"
    assert "cannot be looked at" in found["storage.modes"]["what"]
    assert f"{world.backups} cannot be used (" in found["storage.backups"]["what"]
    assert "cannot be looked at" in found["accounts.any"]["what"]
    assert "Which proxies run cannot be looked at" in found["proxy.running"]["what"]
    assert found["ca.usable"]["state"] == "problem"
    assert {"program.version", "shell.proxy", "client.version"} <= found.keys()
    assert not [text for text in FINE if text in doctor.out + report.out + words.out]
    assert words.out.count("cannot be looked at; see the findings") == 3
    data = json.loads(report.out)
    assert (data["pool_read"], data["proxies_seen"], data["accounts"]) == (False, False, [])


def test_doctor_finds_files_that_are_not_ours_before_they_hurt(worlds: Worlds) -> None:
    """The pool itself can be opened."""

    def cause(world: World) -> None:
        (world.home / "logs").mkdir(mode=0o700)
        run_as_root_once("home/logs", "home/backups")(world)

    ((_, world, doctor),) = ran(worlds, cause, ("doctor --json",))
    found = findings(doctor)
    assert found["storage.pool"]["state"] == "ok"
    assert found["storage.owner"]["what"] == (f"{world.backups}, {world.home}/logs belong to root, and you are nobody.")
    assert found["storage.owner"]["remedy"].startswith(f"Run `sudo chown -R nobody {world.home}`")
    assert found["storage.modes"]["what"].startswith("Who can get at ")


def test_doctor_notices_a_disk_that_can_only_be_read(worlds: Worlds) -> None:
    """With a pool on it, and before there is one."""

    def empty(world: World) -> None:
        shutil.rmtree(world.home)
        world.home.mkdir(mode=0o700)
        read_only_disk(world)
        world.sealed = False

    ((_, _, doctor),) = ran(worlds, read_only_disk, ("doctor --json",))
    assert "a disk that can only be read" in findings(doctor)["storage.pool"]["what"]
    ((_, _, doctor),) = ran(worlds, empty, ("doctor --json",))
    found = findings(doctor)
    assert found["storage.pool"]["state"] == "note"
    assert "a disk that can only be read" in found["storage.disk"]["what"]

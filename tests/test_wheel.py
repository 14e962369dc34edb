"""The wheel brings one package and works beside others that have our names; an editable installation is the clone."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts.check_install import brought

wheels = pytest.importorskip("hatchling.builders.wheel", reason="what builds the wheel is not installed")

ROOT = Path(__file__).resolve().parents[1]
START = "from codex_rotate import main; main()"
SERVE = "from cli.running import proxy_command; print(*proxy_command.start('mitmdump'), sep=chr(10))"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"), "standard")


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it is installed, beside packages of somebody else."""
    place = tmp_path_factory.mktemp("installed") / "site"
    for name in ("accounts", "addons", "certs", "cli", "config", "standin"):
        (place / name).mkdir(parents=True)
        (place / name / "__init__.py").write_text("raise RuntimeError('somebody else's')\n")
    zipfile.ZipFile(wheel).extractall(place)
    return place


def build(folder: Path, version: str) -> Path:
    return Path(next(iter(wheels.WheelBuilder(str(ROOT)).build(directory=str(folder), versions=[version]))))


def python(site: Path, cwd: Path, *words: str) -> str:
    """What it prints, with this folder before the clone's, which the environment of the tests has as well."""
    environ = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, *words], check=False, cwd=cwd, env=environ, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_it_brings_one_package(wheel: Path) -> None:
    assert len(brought(wheel)) == 2


def test_all_that_the_clone_has_is_in_it(wheel: Path) -> None:
    """Not a folder more: tests, benchmarks and scripts stay."""
    inside = {name.removeprefix("codex_rotate/") for name in zipfile.ZipFile(wheel).namelist()}
    folders = ("accounts", "addons", "certs", "cli", "config", "standin")
    ours = {path.relative_to(ROOT).as_posix() for folder in folders for path in (ROOT / folder).rglob("*.py")}
    assert ours | {"__init__.py", "rotate.py"} == {name for name in inside if name.endswith(".py")}


def test_commands_run_beside_packages_of_the_same_names(site: Path, tmp_path: Path) -> None:
    assert python(site, tmp_path, "-c", START, "script") == str(site / "codex_rotate" / "rotate.py")
    assert python(site, tmp_path, "-c", START, "list", "--json") == "[]"


def test_the_script_finds_its_package_wherever_it_is_loaded_from(site: Path, tmp_path: Path) -> None:
    script = site / "codex_rotate" / "rotate.py"
    told = f"import runpy; made = runpy.run_path({str(script)!r})['addons']; import addons; print(addons.__file__)"
    assert python(tmp_path, tmp_path, "-c", told) == str(site / "codex_rotate" / "addons" / "__init__.py")


def test_the_proxy_is_of_the_same_installation_as_the_command(site: Path, tmp_path: Path) -> None:
    """Also in the folder of a clone, and where another one is found first."""
    start = f"import codex_rotate; codex_rotate.claim_names(); {SERVE}"
    _, flag, code = python(site, tmp_path, "-c", start).splitlines()
    code, asked = code.replace("codex_rotate.proxy('mitmdump', '')", "print(codex_rotate.__file__)"), code
    assert code != asked
    assert python(tmp_path, ROOT, flag, code) == str(site / "codex_rotate" / "__init__.py")


def test_an_editable_installation_is_the_clone_and_nothing_else(tmp_path: Path) -> None:
    archive = zipfile.ZipFile(build(tmp_path, "editable"))
    (path,) = [name for name in archive.namelist() if ".dist-info/" not in name]
    assert path.endswith(".pth")
    assert archive.read(path).decode().split() == [str(ROOT)]


def test_an_upgrade_from_folders_beside_each_other_leaves_the_package(site: Path, tmp_path: Path) -> None:
    """What an installer may leave of an older release: the bytecode of the module that is a package now."""
    left = site / "__pycache__"
    left.mkdir()
    (left / f"codex_rotate.{sys.implementation.cache_tag}.pyc").write_bytes(b"old")
    shutil.rmtree(site / "accounts")  # nothing comes after this test
    (site / "accounts" / "__pycache__").mkdir(parents=True)
    assert python(site, tmp_path, "-c", START, "list", "--json") == "[]"

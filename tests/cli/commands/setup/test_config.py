"""`config` says what is set, where and why, writes one setting at a time, and never shows a password."""

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from cli.commands.setup.config import template
from config.settings import KEYS, Settings, checked
from tests import warm

type Run = Callable[..., Any]

ROOT = Path(__file__).resolve().parents[4]
PROXY = "http://ann:s3cret%40@proxy.example:3128"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in KEYS:
        monkeypatch.delenv(f"CODEX_ROTATE_{key.upper()}", raising=False)


@pytest.fixture
def file(home: Path) -> Path:
    home.mkdir(mode=0o700)
    return home / "config.toml"


def test_where_the_file_is(run: Run, home: Path) -> None:
    """Whether or not there is one, and asking makes none."""
    ran = run("config", "path")
    assert (ran.code, ran.out) == (0, f"{home / 'config.toml'}\n")
    assert run("config", "path", "--json").json == {"path": str(home / "config.toml"), "exists": False}
    assert not home.exists()


def test_where_each_value_comes_from(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default, the file with its line, the environment, which wins."""
    file.write_text('# mine\nstrategy = "drain"\npark_seconds = 3\n')
    monkeypatch.setenv("CODEX_ROTATE_PARK_SECONDS", "7")
    told = run("config", "show", "--json").json["settings"]
    assert list(told) == list(KEYS)
    assert told["strategy"] == {"value": "drain", "source": "file", "line": 2, "variable": None, "masked": False}
    assert (told["park_seconds"]["value"], told["park_seconds"]["variable"]) == (7, "CODEX_ROTATE_PARK_SECONDS")
    assert told["defer_percent"]["source"] == "default"
    shown = run("config", "show").out
    assert "CODEX_ROTATE_PARK_SECONDS" in shown
    assert str(file) in shown


def test_explaining_one_and_all(run: Run, file: Path) -> None:
    """Value, source, default, what is allowed, and what it is for."""
    file.write_text('strategy = "drain"\n')
    ran = run("config", "explain", "strategy")
    for part in ("drain", f"{file}, line 1", "balanced", "round_robin", "Where new threads go."):
        assert part in ran.out
    told = run("config", "explain", "--json").json["settings"]
    assert list(told) == list(KEYS)
    assert told["strategy"]["choices"] == ["balanced", "drain", "round_robin", "pinned"]
    assert list(run("config", "explain", "strategy", "--json").json["settings"]) == ["strategy"]


@pytest.mark.parametrize("words", [("get",), ("explain",), ("set",), ("unset",)])
def test_a_key_that_there_is_not(run: Run, words: tuple[str, ...], home: Path) -> None:
    """The nearest name is named, and nothing is made."""
    value = ["x"] if words == ("set",) else []
    ran = run("config", *words, "stratgy", *value)
    assert (ran.code, ran.out) == (2, "")
    assert "There is no setting stratgy. Did you mean strategy?" in ran.err
    ran = run("config", *words, "colour", *value)
    assert "the settings are: chatgpt_base_url, " in ran.err.lower()
    assert not home.exists()


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("strategy", "round_robin", 'strategy = "round_robin"'),
        ("defer_percent", "90", "defer_percent = 90.0"),
        ("park_seconds", " 30 ", "park_seconds = 30"),
        ("pinned_account", "team ü 1", 'pinned_account = "team ü 1"'),
        ("pinned_account", 'a "b" \\ \n', 'pinned_account = "a \\"b\\" \\\\ \\n"'),
        ("pinned_account", "12", 'pinned_account = "12"'),
        ("chatgpt_base_url", "http://127.0.0.1:1/", 'chatgpt_base_url = "http://127.0.0.1:1"'),
        ("upstream_proxy", PROXY, f'upstream_proxy = "{PROXY}"'),
        ("upstream_proxy", "", 'upstream_proxy = ""'),
    ],
)
def test_setting(run: Run, home: Path, key: str, value: str, line: str) -> None:
    """Written as what it is, private, and in force."""
    ran = run("config", "set", key, value)
    assert (ran.code, ran.err) == (0, "")
    assert (home / "config.toml").read_text(encoding="utf-8") == f"{line}\n"
    assert stat.S_IMODE((home / "config.toml").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert run("config", "explain", key, "--json").json["settings"][key]["source"] == "file"
    again = run("config", "set", key, value, "--json").json
    assert (again["changed"], again["line"]) == (False, 1)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("defer_percent", "900", "must be a number from 1 to 100"),
        ("defer_percent", "nan", "defer_percent"),
        ("defer_percent", "many", "must be a number from 1 to 100"),
        ("park_seconds", "1.5", "must be a whole number from 0 to 3600"),
        ("strategy", "fair", "must be one of balanced, drain, round_robin, pinned"),
        ("strategy", "pinned", "needs pinned_account"),
        ("chatgpt_base_url", "http://u:s3cret@x", "must be https"),
        ("upstream_proxy", "http://ann:s3cret@proxy.example", "must be an address such as"),
        ("upstream_proxy", "s3cret", "must be an address such as"),
        ("pinned_account", "\udcff", "UTF-8"),
    ],
)
def test_what_is_not_allowed_is_not_written(run: Run, home: Path, key: str, value: str, said: str) -> None:
    """One line, with what to do next and without the value."""
    ran = run("config", "set", key, value)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert said in ran.err
    assert "Nothing was changed. " in ran.err
    assert "s3cret" not in ran.err
    assert not (home / "config.toml").exists()


def test_everything_else_in_the_file_stays(run: Run, file: Path) -> None:
    """Comments, order, spaces and line ends."""
    before = b"# top\r\n\r\n  strategy='drain' # why\r\n#park_seconds = 120\r\ndefer_percent=50"
    file.write_bytes(before)
    assert run("config", "set", "strategy", "balanced").code == 0
    assert run("config", "set", "park_seconds", "5").code == 0
    after = before.replace(b"'drain'", b'"balanced"').replace(b"120\r\n", b"120\r\npark_seconds = 5\r\n")
    assert file.read_bytes() == after
    assert run("config", "unset", "park_seconds").code == 0
    assert file.read_bytes() == before.replace(b"'drain'", b'"balanced"')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# a\nstrategy =\n", "line 2"),
        ("# a\nstratgy = 1\n", "stratgy (line 2). Did you mean strategy?"),
        ("# a\npark_seconds = -1\n", "(line 2)"),
        ('x = "http://ann:s3cret@h"\n', "there is no setting x (line 1)"),
        ('"http://ann:s3cret@h" = 1\n', "of that name (line 1)"),
        ("[strategy]\na = 1\n", "strategy: must be one of balanced"),
    ],
)
def test_a_broken_file_is_named_with_the_line_and_left(run: Run, file: Path, text: str, said: str) -> None:
    """Nothing is added to a file that is of no use, and no reading command guesses."""
    file.write_text(text)
    for words in (("set", "defer_percent", "90"), ("show",), ("get", "strategy"), ("explain",)):
        ran = run("config", *words)
        assert (ran.code, ran.out) == (2, "")
        assert str(file) in ran.err
        assert said in ran.err
        assert "s3cret" not in ran.err
    assert file.read_text() == text


def test_a_mistake_can_be_mended(run: Run, file: Path) -> None:
    """A wrong value is replaced, an unknown key taken out, one after the other, and a table as a whole."""
    file.write_text("park_seconds = -1\nstratgy = 1\n[more]\na = 1\n# kept\n")
    assert run("config", "unset", "stratgy").code == 0
    assert run("config", "unset", "more").code == 0
    assert run("config", "set", "park_seconds", "1").code == 0
    assert file.read_text() == "park_seconds = 1\n# kept\n"


def test_unsetting(run: Run, file: Path) -> None:
    """Once; a second time there is nothing to do, and that is fine."""
    file.write_text('strategy = "drain"\n')
    assert run("config", "unset", "strategy", "--json").json["changed"] is True
    assert file.read_text() == ""
    ran = run("config", "unset", "strategy")
    assert (ran.code, ran.out) == (0, f"strategy is not set in {file}.\n")
    file.unlink()
    assert run("config", "unset", "strategy").code == 0
    assert not file.exists()


def test_what_another_setting_needs_stays(run: Run, file: Path) -> None:
    text = 'pinned_account = "ann"\nstrategy = "pinned"\n'
    file.write_text(text)
    for words in (("unset", "pinned_account"), ("set", "pinned_account", "")):
        ran = run("config", *words)
        assert ran.code == 2
        assert "strategy pinned needs pinned_account" in ran.err
    assert file.read_text() == text


def test_a_variable_that_wins_is_named(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sets a value that has no effect here is told why."""
    monkeypatch.setenv("CODEX_ROTATE_STRATEGY", "drain")
    ran = run("config", "set", "strategy", "round_robin")
    assert (ran.code, "CODEX_ROTATE_STRATEGY is set" in ran.err) == (0, True)
    assert run("config", "set", "strategy", "balanced", "--json").json["overridden_by"] == "CODEX_ROTATE_STRATEGY"
    assert run("config", "get", "strategy").out == "drain\n"
    assert "CODEX_ROTATE_STRATEGY is set" in run("config", "unset", "strategy").err
    assert run("config", "set", "park_seconds", "3").err == ""


def test_a_wrong_variable_does_not_keep_the_file_from_being_changed(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_ROTATE_STRATEGY", "none")
    assert run("config", "set", "park_seconds", "3").code == 0
    assert "CODEX_ROTATE_STRATEGY" in run("config", "show").err


# --- passwords -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["file", "environment"])
def test_a_password_is_shown_only_when_asked_for(
    run: Run, file: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither it nor the user's name, whatever command and form."""
    if place == "file":
        file.write_text(f'upstream_proxy = "{PROXY}"\n')
    else:
        monkeypatch.setenv("CODEX_ROTATE_UPSTREAM_PROXY", PROXY)
    for words in (["show"], ["explain"], ["explain", "upstream_proxy"], ["get", "upstream_proxy"]):
        for form in ([], ["--json"]):
            ran = run("config", *words, *form)
            assert ran.code == 0
            assert "http://***@proxy.example:3128" in ran.out
            assert not {"s3cret", "ann"} & set(ran.out.replace(":", " ").replace("/", " ").replace("@", " ").split())
            assert "s3cret" not in ran.out + ran.err
    assert "--reveal" in run("config", "get", "upstream_proxy").err
    ran = run("config", "get", "upstream_proxy", "--reveal")
    assert (ran.out, ran.err) == (f"{PROXY}\n", "")
    assert run("config", "get", "strategy", "--reveal").out == "balanced\n"


@pytest.mark.parametrize(
    "words",
    [
        ("set", "upstream_proxy", PROXY),
        ("set", PROXY, "upstream_proxy"),
        ("set", f"upstream_proxy={PROXY}"),
        ("set", "upstream_proxy", "=", PROXY),
        ("set", "upstream_proxy", "http://ann:s3cret", "rest@proxy.example:3128"),
        ("set", f"--upstream_proxy={PROXY}"),
        ("unset", f"upstream_proxy={PROXY}"),
        ("get", "upstream_proxy", PROXY),
        ("explain", PROXY),
        ("show", PROXY),
    ],
)
def test_a_password_in_the_wrong_place_is_not_repeated(run: Run, words: tuple[str, ...]) -> None:
    for form in ([], ["--json"]):
        ran = run("config", *words, *form)
        assert "s3cret" not in ran.out + ran.err


def test_a_value_need_not_be_in_the_shells_history(home: Path) -> None:
    """Without a value one line is read from standard input, and nobody there to type one is an error."""
    code = "from cli.app import main; raise SystemExit(main(['config', 'set', 'upstream_proxy']))"

    def give(text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, input=text, capture_output=True, text=True, timeout=60, check=False
        )

    done = give(f"{PROXY}\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert "s3cret" not in done.stdout
    assert PROXY in (home / "config.toml").read_text()
    assert give("").returncode == 2


# --- at once, and from nothing ---------------------------------------------------------------------------------------


def test_two_at_once_lose_nothing(home: Path) -> None:
    """Real processes, each setting one of the keys."""
    wanted = {"strategy": "drain", "defer_percent": "50", "park_seconds": "9", "pinned_account": "ann"}
    program = str(warm.BIN / "codex-rotate")
    started = [
        warm.Popen([program, "config", "set", key, value], stdout=subprocess.DEVNULL) for key, value in wanted.items()
    ]
    assert [each.wait(timeout=60) for each in started] == [0] * len(started)
    found = tomlkit.parse((home / "config.toml").read_text()).unwrap()
    assert found == {"strategy": "drain", "defer_percent": 50.0, "park_seconds": 9, "pinned_account": "ann"}


def test_init_writes_every_setting_commented_out(run: Run, home: Path) -> None:
    """Nothing is set by it, and what is commented out is the default."""
    ran = run("config", "init")
    assert ran.code == 0
    file = home / "config.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    assert tomlkit.parse(text).unwrap() == {}
    taken_away = "\n".join(
        line.removeprefix("# ") for line in text.splitlines() if line.startswith(tuple(f"# {key} =" for key in KEYS))
    )
    assert set(tomlkit.parse(taken_away)) == set(KEYS)
    assert checked(file, taken_away.encode(), {}) == Settings()
    assert max(map(len, text.splitlines())) <= 100


def test_init_never_overwrites(run: Run, file: Path) -> None:
    """Not even an empty file."""
    file.write_text("")
    ran = run("config", "init")
    assert (ran.code, "never replaces" in ran.err, file.read_text()) == (2, True, "")


def test_a_setting_goes_below_its_comment(run: Run, home: Path) -> None:
    """In a file that `init` wrote, and out of it without a trace."""
    run("config", "init")
    assert run("config", "set", "strategy", "drain").code == 0
    assert '# strategy = "balanced"\nstrategy = "drain"\n' in (home / "config.toml").read_text()
    run("config", "unset", "strategy")
    assert (home / "config.toml").read_text() == template()


def test_a_folder_that_cannot_be_written(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is named, and no traceback."""
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("CODEX_ROTATE_HOME", str(tmp_path / "taken" / "rotate"))
    for words in (("set", "strategy", "drain"), ("init",), ("show",)):
        ran = run("config", *words)
        assert ran.code in {1, 2}
        assert str(tmp_path / "taken" / "rotate" / "config.toml") in ran.err


def test_odd_folders_and_windows_files(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spaces and unicode in the path, a byte order mark and CRLF in the file."""
    home = tmp_path / "мой дом 1"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("CODEX_ROTATE_HOME", str(home))
    file = home / "config.toml"
    file.write_bytes(b"\xef\xbb\xbf# mine\r\n")
    assert run("config", "set", "park_seconds", "3", "--json").json["path"] == str(file)
    assert file.read_bytes() == b"\xef\xbb\xbf# mine\r\npark_seconds = 3\r\n"
    assert run("config", "get", "park_seconds").out == "3\n"

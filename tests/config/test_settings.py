"""Settings come from a file and the environment, and a mistake in either is named with its remedy."""

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec import structs

from config.settings import KEYS, ConfigError, Settings, described, load, mistake, unknown

DEFAULT = "https://chatgpt.com/backend-api"
ROOT = Path(__file__).resolve().parents[2]


def settings(tmp_path: Path, text: str | None = None, **environ: str) -> Settings:
    if text is not None:
        (tmp_path / "config.toml").write_bytes(text.encode())
    return load({"CODEX_ROTATE_HOME": str(tmp_path), **environ})


def test_nothing_set(tmp_path: Path) -> None:
    """No file and no variable: the defaults. HOME and SYNC are ours, but no settings; other variables are not ours."""
    assert settings(tmp_path, CODEX_ROTATE_SYNC="off", CODEX_HOME="/x").chatgpt_base_url == DEFAULT


def test_file_then_environment(tmp_path: Path) -> None:
    """The file is used, with a byte order mark too; the environment wins over it."""
    text = '\ufeff# mine\nchatgpt_base_url = "https://one.example.com/api/"\n'
    assert settings(tmp_path, text).chatgpt_base_url == "https://one.example.com/api"
    over = settings(tmp_path, CODEX_ROTATE_CHATGPT_BASE_URL="http://127.0.0.1:8080")
    assert over.chatgpt_base_url == "http://127.0.0.1:8080"


def test_settings_are_frozen() -> None:
    """Nobody changes a setting behind another's back."""
    with pytest.raises(AttributeError):
        Settings().chatgpt_base_url = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('chatgpt_base_uri = "x"', "there is no setting chatgpt_base_uri (line 1). Did you mean chatgpt_base_url?"),
        ("colour = 1", "there is no setting colour (line 1). Remove it; the settings are: chatgpt_base_url,"),
        ("chatgpt_base_url = 5", "config.toml: chatgpt_base_url: must be text"),
        ('chatgpt_base_url = "chatgpt.com"', "config.toml: chatgpt_base_url: must be an address such as"),
        ('chatgpt_base_url = "http://chatgpt.com"', "must be https"),
        ('chatgpt_base_url = "https://u:secret@chatgpt.com"', "must have no user name"),
        ('chatgpt_base_url = "https://["', "chatgpt_base_url: must be an address such as"),
        ('chatgpt_base_url = "https://u:secret\u2100@x"', "chatgpt_base_url: must be an address such as"),
        ('chatgpt_base_url = "https://x:99999"', "chatgpt_base_url: must be an address such as"),
        ("chatgpt_base_url =", "config.toml is not valid TOML"),
        (
            'upstream_proxy = "proxy.example:3128"',
            "config.toml: upstream_proxy: must be an address such as http://user",
        ),
        (
            'upstream_proxy = "http://ann:secret@proxy.example"',
            "config.toml: upstream_proxy: must be an address such as",
        ),
        ('upstream_proxy = "http://ann:secret/1@proxy.example:1"', "config.toml: upstream_proxy: must be an address"),
        ("upstream_proxy = 3128", "config.toml: upstream_proxy: must be an address such as"),
        ('[upstream_proxy]\nhost = "h"\npassword = "secret"', "config.toml: upstream_proxy: must be an address"),
        ('upstream_proxy = "http://ann:secret@h:1', "config.toml is not valid TOML"),
        ('upstream_proxy = "http://ann:secret\\q@h:1"', "config.toml is not valid TOML"),
        ("[chatgpt_base_url]\na = 1", "config.toml: chatgpt_base_url: must be text"),
    ],
)
def test_a_mistake_in_the_file(tmp_path: Path, text: str, said: str) -> None:
    """File, key and remedy are named; no value is repeated, it may hold a password."""
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, text)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ['upstream_proxy = "http://ann:pa\\§@h:1"', '"http://ann:§" = 1\n"http://ann:§" = 1'])
def test_what_is_no_toml_is_told_by_its_place_and_not_a_character_of_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"config.toml is not valid TOML at line \d+ col \d+\. ") as caught:
        settings(tmp_path, text)
    assert "§" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_proxy_is_shown_without_its_user_and_password(tmp_path: Path) -> None:
    """Whatever prints, dumps or logs settings."""
    found = settings(tmp_path, 'upstream_proxy = "http://u53r:s3cret%40@proxy.example:3128"')
    assert found.upstream_proxy is not None
    assert found.upstream_proxy.password == "s3cret@"
    for text in (repr(found), str(found), repr(structs.asdict(found))):
        assert "proxy.example" in text
        assert "s3cret" not in text
        assert "u53r" not in text


@pytest.mark.parametrize("nothing", ["", "  "])
def test_a_proxy_of_the_file_can_be_left_out_for_one_run(tmp_path: Path, nothing: str) -> None:
    text = 'upstream_proxy = "http://proxy.example:3128"'
    assert settings(tmp_path, text, CODEX_ROTATE_UPSTREAM_PROXY=nothing).upstream_proxy is None


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CODEX_ROTATE_UPSTREAM_PROXY", "http://secret", "the environment: CODEX_ROTATE_UPSTREAM_PROXY: must be"),
        ("CODEX_ROTATE_CHATGPT_BASEURL", "x", "Did you mean CODEX_ROTATE_CHATGPT_BASE_URL?"),
        ("CODEX_ROTATE_CHATGPT_BASE_URL", "ftp://x", "the environment: CODEX_ROTATE_CHATGPT_BASE_URL: must be"),
    ],
)
def test_a_mistake_in_the_environment(tmp_path: Path, name: str, value: str, said: str) -> None:
    """A variable is named as the user wrote it."""
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, **{name: value})
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """Binary content and a folder in the file's place end in a sentence."""
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        settings(tmp_path)
    (tmp_path / "config.toml").unlink()
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        settings(tmp_path)


def test_paths_and_clock_are_cheap() -> None:
    """Asking where something lives does not load what reads settings."""
    code = "import sys, config.paths, config.clock; print('msgspec' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_mistake_in_the_file_is_told_with_its_line(tmp_path: Path) -> None:
    """The line it begins in, also behind a value of several lines."""
    text = '# mine\r\npinned_account = """\r\npark_seconds = 1\r\n"""\r\n\r\npark_seconds = -1 # no\r\n'
    with pytest.raises(
        ConfigError, match=r"config\.toml: park_seconds: must be a whole number from 0 to 3600 \(line 6\)\. Correct it"
    ):
        settings(tmp_path, text)


def test_every_setting_is_described() -> None:
    """Each says what it is for and what it may be, and its default may be that."""
    told = described()
    assert tuple(told) == KEYS
    assert all(about.meaning.endswith(".") and about.allowed for about in told.values())
    assert mistake({key: about.default for key, about in told.items()}) is None
    assert told["strategy"].choices == ("balanced", "drain", "round_robin", "pinned")
    assert (told["defer_percent"].allowed, told["park_seconds"].allowed) == (
        "a number from 1 to 100",
        "a whole number from 0 to 3600",
    )


@pytest.mark.parametrize("key", ["http://ann:secret@proxy.example", "a b", "", "é", "x" * 99])
def test_what_is_no_name_is_not_repeated(key: str) -> None:
    """It may be a value in the wrong place."""
    assert unknown(key).startswith("there is no setting of that name. ")

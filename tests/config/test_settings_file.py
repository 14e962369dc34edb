"""One setting of config.toml changes; every other byte of the file stays the user's."""

import os
import stat
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
import tomlkit
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from config import settings_file
from config.errors import ConfigError
from config.settings_file import CannotChange, Value, change, lines, read, values
from tests.rows import all_rows

FILE = Path("config.toml")
MARK = b"\xef\xbb\xbf"
WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=12)
KEYS = ("strategy", "defer_percent", "park_seconds", "upstream_proxy")
VALUES = st.one_of(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.integers(), st.floats(0, 1e9))


@st.composite
def written(draw: st.DrawFn, key: str) -> str:
    """A setting as somebody might write it."""
    name = draw(st.sampled_from([key, f'"{key}"', f"'{key}'"]))
    word = draw(WORDS.filter(lambda text: "\\" not in text and '"' not in text and "'" not in text))
    value = draw(
        st.sampled_from(
            [f'"{word}"', f"'{word}'", "12", "0.5", "true", f'"""\n{word}\nstrategy = 1\n"""', "[1, # one\n  2,\n]"]
        )
    )
    indent, around = draw(st.sampled_from(["", "  ", "\t"])), draw(st.sampled_from(["", " ", "   "]))
    return f"{indent}{name}{around}={around}{value}{draw(st.sampled_from(['', ' ', f'  # {word}']))}"


@dataclass(frozen=True)
class Part:
    """A setting with its lines' ends; `key` is "" for a comment or an empty line."""

    key: str
    text: str


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, list[Part]]:
    """Settings, comments and empty lines in any order, with any line ends, with or without a mark and a last end."""
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True))
    found = [(key, draw(written(key))) for key in keys]
    others = draw(st.lists(st.one_of(st.just(""), st.just("  "), WORDS.map("# {}".format)), max_size=6))
    found = draw(st.permutations([*found, *(("", text) for text in others)]))
    ends = draw(st.sampled_from([("\n",), ("\r\n",), ("\n", "\r\n")]))
    last = len(found) - draw(st.integers(0, 1))
    texts = [text + (draw(st.sampled_from(ends)) if at < last else "") for at, (_, text) in enumerate(found)]
    if ends == ("\r\n",):  # also within a value
        texts = [text.replace("\n", "\r\n").replace("\r\r", "\r") for text in texts]
    parts = [Part(key, text) for (key, _), text in zip(found, texts, strict=True)]
    return draw(st.sampled_from([b"", MARK])) + joined(parts), parts


def joined(parts: list[Part]) -> bytes:
    return "".join(each.text for each in parts).encode()


@given(file=files(), key=st.sampled_from(KEYS), value=VALUES)
def test_a_new_value_leaves_every_byte_around_its_line(file: tuple[bytes, list[Part]], key: str, value: Value) -> None:
    content, parts = file
    after = settings_file.with_setting(FILE, content, key, value)
    assert values(FILE, after) == values(FILE, content) | {key: value}
    assert after.startswith(MARK) == content.startswith(MARK)
    at = next((at for at, each in enumerate(parts) if each.key == key), None)
    if at is not None:
        ahead, behind = joined(parts[:at]), joined(parts[at + 1 :])
        changed = after.removeprefix(MARK).removeprefix(ahead).removesuffix(behind)
        assert after.removeprefix(MARK) == ahead + changed + behind
        assert list(values(FILE, changed)) == [key]


@given(file=files(), key=st.sampled_from(KEYS), value=VALUES)
def test_a_new_setting_is_one_line_more(file: tuple[bytes, list[Part]], key: str, value: Value) -> None:
    """Every byte before and behind it is as it was, but for the last line's end, which a line after it needs."""
    content, parts = file
    before = content[: len(content) - len(joined(parts))] + joined([each for each in parts if each.key != key])
    after = settings_file.with_setting(FILE, before, key, value)
    assert values(FILE, after) == values(FILE, before) | {key: value}
    cut = after.splitlines(keepends=True)
    new = cut.pop(lines(FILE, after)[key] - 1)
    ending = b"\r\n" if before.partition(b"\n")[0].endswith(b"\r") else b"\n"
    assert new.removeprefix(MARK).startswith(f"{key} = ".encode())
    assert new.endswith(ending)
    rest = (MARK if new.startswith(MARK) else b"") + b"".join(cut)
    assert rest in {before, before + ending}
    assert rest == before or not before.endswith(b"\n")


@given(file=files(), key=st.sampled_from(KEYS))
def test_taking_one_out_leaves_every_other_byte(file: tuple[bytes, list[Part]], key: str) -> None:
    content, parts = file
    mark = content[: len(content) - len(joined(parts))]
    after = settings_file.without_setting(FILE, content, key)
    assert after == mark + joined([each for each in parts if each.key != key])


@given(file=files())
def test_each_setting_is_found_in_the_line_that_it_begins_in(file: tuple[bytes, list[Part]]) -> None:
    content, parts = file
    begins, line = {}, 1
    for each in parts:
        if each.key:
            begins[each.key] = line
        line += each.text.count("\n")
    assert lines(FILE, content) == begins


@all_rows(
    ("before", "after"),
    [
        ("", "park_seconds = 5\n"),
        ("# mine", "# mine\npark_seconds = 5\n"),
        ("park_seconds = 1 # short\r\n", "park_seconds = 5 # short\r\n"),
        ("a = 1\r\n", "a = 1\r\npark_seconds = 5\r\n"),
        ("a = 1\r\n# mine", "a = 1\r\n# mine\r\npark_seconds = 5\r\n"),
        ("# park_seconds = 120\n\n# more\n", "# park_seconds = 120\npark_seconds = 5\n\n# more\n"),
        ("a = 1\n[table]\nb = 2\n", "a = 1\npark_seconds = 5\n[table]\nb = 2\n"),
        ("[park_seconds]\nb = 2\n# kept\n", "park_seconds = 5\n# kept\n"),
        ("park_seconds.a = 1\nc = 1\npark_seconds.b = 2\n", "park_seconds = 5\nc = 1\n"),
        ("#park_seconds=120\n## park_seconds = 1", "#park_seconds=120\npark_seconds = 5\n## park_seconds = 1"),
        ("park_seconds = 5.0\n", "park_seconds = 5\n"),
        ("  park_seconds=5#x\n", "  park_seconds=5#x\n"),
    ],
)
def test_where_a_setting_goes(before: str, after: str) -> None:
    """In its own place, else below the comment that names it, else at the end, but never into a table."""
    assert settings_file.with_setting(FILE, before.encode(), "park_seconds", 5).decode() == after


def test_a_setting_in_a_table_is_another_one() -> None:
    content = b"[t]\nstrategy = 1\n[[u]]\n[t.v]\nstrategy = 2\n"
    assert lines(FILE, content) == {"t": 1, "u": 3}
    assert settings_file.without_setting(FILE, content, "t") == b"[[u]]\n"


def test_comments_stay_when_their_table_goes() -> None:
    content = b"# 1\n[t] # of the header\n# 2\nb = 1 # of b\n\n[[t.u]]\n# 3\n[x]\n# 4\n"
    assert settings_file.without_setting(FILE, content, "t") == b"# 1\n# 2\n\n# 3\n[x]\n# 4\n"


def test_a_file_that_would_be_written_in_another_order_is_not_changed() -> None:
    content = b"[[u]]\na = 1\n[t]\n[[u]]\na = 2\n"
    with pytest.raises(CannotChange, match="between its parts"):
        settings_file.without_setting(FILE, content, "t")
    with pytest.raises(CannotChange, match="between its parts"):
        settings_file.with_setting(FILE, content, "strategy", "pinned")


@all_rows(
    "content",
    [
        b"a =", b"a = 1\na = 2\n", b'a = "http://u:s3cret@h\n', b"a = 1\rb = 2", b"\xff\xfe", b"a = 1\x00",
        b"a = [1,\n", b'"s3cret', b"a = " + b"[" * 5000, MARK + MARK, b'a = """\n',
    ],
)  # fmt: skip
def test_what_is_not_toml_is_refused_unchanged(content: bytes) -> None:
    """With the file's name and without what is in it."""
    for work in (
        lambda: values(FILE, content),
        lambda: lines(FILE, content),
        lambda: settings_file.with_setting(FILE, content, "a", 1),
        lambda: settings_file.without_setting(FILE, content, "a"),
    ):
        with pytest.raises(ConfigError, match=r"config\.toml") as caught:
            work()
        assert "s3cret" not in str(caught.value)


# --- the file --------------------------------------------------------------------------------------------------------


def test_the_file_and_its_folder_are_private(tmp_path: Path) -> None:
    file = tmp_path / "new home" / "config.toml"
    assert change(file, lambda before: b"a = 1\n" if before is None else b"") == (b"a = 1\n", True)
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in file.parent.iterdir()} == {0o600}
    file.chmod(0o644)
    assert change(file, lambda before: b"a = 2\n")[1]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_nothing_is_written_where_nothing_changes(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"a = 1\n")
    os.utime(file, (1, 1))
    assert change(file, lambda before: before or b"") == (b"a = 1\n", False)
    assert file.stat().st_mtime == 1


def test_a_change_that_is_refused_leaves_nothing(tmp_path: Path) -> None:
    """No half-written file, and the old one as it was."""
    file = tmp_path / "config.toml"
    file.write_bytes(b"a = 1\n")

    def refuse(before: bytes | None) -> bytes:
        raise ConfigError("no")

    with pytest.raises(ConfigError, match="no"):
        change(file, refuse)
    assert file.read_bytes() == b"a = 1\n"
    assert {each.name for each in tmp_path.iterdir()} <= {"config.toml", "config.toml.lock"}


def test_what_an_editor_writes_meanwhile_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"a = 1\n")

    def edit(before: bytes | None) -> bytes:
        file.write_bytes(b"a = 2\n")
        return b"a = 3\n"

    with pytest.raises(CannotChange, match="another program"):
        change(file, edit)
    assert file.read_bytes() == b"a = 2\n"


def test_changes_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each one sees what the one before it wrote."""
    file = tmp_path / "config.toml"

    def add(number: int) -> None:
        change(file, lambda before: settings_file.with_setting(file, before, f"key_{number}", number))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values(file, read(file)) == {f"key_{number}": number for number in range(12)}


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """Settings that live among somebody's dotfiles are changed there."""
    (tmp_path / "dotfiles").mkdir()
    target = tmp_path / "dotfiles" / "mine.toml"
    target.write_bytes(b"# mine\n")
    file = tmp_path / "config.toml"
    file.symlink_to(target)
    change(file, lambda before: (before or b"") + b"a = 1\n")
    assert file.is_symlink()
    assert target.read_bytes() == b"# mine\na = 1\n"
    target.unlink()
    assert change(file, lambda before: b"new\n" if before is None else b"")[1]
    assert target.read_bytes() == b"new\n"


@pytest.mark.parametrize("place", ["file/config.toml", "folder"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    """A file in the folder's place, and a folder in the file's."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match=place):
        change(tmp_path / place, lambda before: b"a = 1\n")


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(content=st.binary(max_size=40))
def test_any_bytes_end_in_values_or_in_a_sentence(content: bytes) -> None:
    try:
        found = values(FILE, content)
    except ConfigError:
        return
    assert found == tomlkit.parse(content.decode("utf-8-sig")).unwrap()

"""What is known to be secret, and what looks like it, is replaced in every spelling, and refused where it is not."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from accounts.model import Account, Credentials
from accounts.store.store import Store
from cli.report.redaction import (
    END,
    LONG,
    SHORTEST,
    Secret,
    StillSecret,
    Sweep,
    gathered,
    in_json,
    in_settings,
    in_variables,
)
from config import clock
from tests.builders import token
from tests.cli.doctors import private
from tests.rows import all_rows

SHOWN = "(x)"
ALNUM = st.text("abcXYZ019", min_size=LONG, max_size=90)


def sweep(*texts: str, is_token: bool = False, name: bool = False) -> Sweep:
    return Sweep([Secret(text=text, shown=SHOWN, token=is_token, name=name) for text in texts])


SPELLINGS = [
    str,
    lambda text: quote(text, safe=""),
    quote_plus,
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: repr(text)[1:-1],
]


@given(st.text(min_size=SHORTEST, max_size=40), st.sampled_from(SPELLINGS))
def test_a_secret_is_replaced_however_it_is_written(secret: str, spelled: Callable[[str], str]) -> None:
    assume(not any(0xD800 <= ord(each) < 0xE000 for each in secret))
    written = spelled(secret)
    assert written not in sweep(secret).text(f"« {written} »")


@given(ALNUM, st.integers(END, LONG), st.sampled_from(["", "Bearer ", "token: ", "x", '"']))
def test_of_a_long_token_a_cut_off_end_gives_it_away(secret: str, kept: int, before: str) -> None:
    """A log shows the first characters of what is too long, or the last ones."""
    for part in (secret[:kept], secret[-kept:]):
        cleaned = sweep(secret, is_token=True).text(f"{before}{part} end")
        assert part not in cleaned
        assert cleaned.endswith(" end")


@given(st.lists(ALNUM, min_size=1, max_size=4))
def test_cleaning_twice_is_cleaning_once_and_what_is_clean_may_be_written(secrets: list[str]) -> None:
    swept = sweep(*secrets, is_token=True)
    once = swept.free(" and ".join(secrets))
    assert swept.free(once) == once
    swept.check("this", once)


@given(st.text())
def test_what_is_not_secret_is_left_by_a_sweep_that_knows_nothing(text: str) -> None:
    """Plain prose without addresses and assignments."""
    assume(not any(mark in text for mark in "@:=") and "eyJ" not in text and len(text) < 40)
    assume("bearer" not in text.lower() and "basic" not in text.lower() and "sk-" not in text)
    assert Sweep([]).free(text) == text


@all_rows(
    ("said", "gone"),
    [
        ("Authorization: Bearer abc.def-123", "abc.def"),
        ("proxy-authorization = Basic dXNlcjpwdw==", "dXNl"),
        ("cookie: a=b; c=hunter2", "hunter2"),
        ("{'Set-Cookie': 'sid=hunter2'}", "hunter2"),
        ("sent bearer hunter2hunter2 upstream", "hunter2"),
        ("via http://joe:hunter2@proxy.test:3128/", "hunter2"),
        ("via socks5://only-user@proxy.test", "only-user"),
        ("mail joe.doe+x@sub.example.co.uk.", "joe.doe"),
        ("MAIL JOE@EXAMPLE.COM", "JOE"),
        ("jürgen@bücher.example", "jürgen"),
        (f"got {token(None, sub='x')} back", "eyJ"),
        ("key sk-proj-abcdefghijkl", "sk-proj"),
        ("password=hunter2", "hunter2"),
        ('{"refresh_token": "hunter2"}', "hunter2"),
        ("API-KEY: hunter2", "hunter2"),
        ("client_secret = 'hunter2'", "hunter2"),
        (f"random {'aB3_' * 12}", "aB3_"),
    ],
)
def test_what_looks_like_a_secret_goes_whosever_it_is(said: str, gone: str) -> None:
    assert gone not in Sweep([]).text(said)


@all_rows(
    "said",
    [
        "Install it with `npm install -g @openai/codex`.",
        "codex@0.169.0 on Python 3.13.0",
        "429 usage_limit_reached after 0.3 s",
        "CA 849f9e63f3250c7e849f9e63f3250c7e849f9e63f3250c7e849f9e63f3250c7e",
        "File cli/report/redaction.py, line 12, in text",
        "Every login can be renewed, and no access token has expired.",
        "0199c0de-7a11-7000-8000-0000000000aa",
    ],
)
def test_what_helps_stays(said: str) -> None:
    assert Sweep([]).free(said) == said


def test_names_are_found_in_any_case_and_tokens_as_they_are() -> None:
    named = sweep("Jane.Roe@corp", name=True)
    assert named.text("JANE.ROE@CORP jane.roe@corp") == f"{SHOWN} {SHOWN}"
    with pytest.raises(StillSecret):
        named.check("this", "x jane.ROE@corp y")


def test_of_two_secrets_the_longer_one_goes_first() -> None:
    swept = Sweep(
        [Secret(text="acct-1", shown="account-1", name=True), Secret(text="acct-10", shown="account-2", name=True)]
    )
    assert swept.text("acct-10 acct-1") == "account-2 account-1"


def test_a_short_text_is_no_secret_by_itself() -> None:
    """It would be found in every other word; where it stands as a password it goes."""
    swept = sweep("ann")
    assert (
        swept.text("an announcement via http://joe:ann@proxy.test") == "an announcement via http://[secret]@proxy.test"
    )


def test_labels_and_folders_only_in_free_text_and_only_as_words(tmp_path: Path) -> None:
    swept = Sweep(
        [], {"work": "account-1", "ab": "account-2"}, {tmp_path: "~", tmp_path / "in": "HOME", Path("/"): "no"}
    )
    said = f"work, workshop and ab in {tmp_path}/in/x and {tmp_path}/y"
    assert swept.free(said) == "account-1, workshop and ab in HOME/x and ~/y"
    assert swept.value({"work": ["work", 1, None, {"a": "work"}]}) == {"work": ["work", 1, None, {"a": "work"}]}


@pytest.mark.parametrize("content", [token(None, sub="x"), "joe@example.com", "sk-proj-abcdefghijkl"])
def test_what_still_looks_like_a_secret_is_refused_without_being_repeated(content: str) -> None:
    with pytest.raises(StillSecret) as refused:
        Sweep([]).check("logs/1.log", f"and {content} here")
    assert content not in str(refused.value)
    assert "logs/1.log" in str(refused.value)


@pytest.mark.serial
@pytest.mark.parametrize("text", ["x" * 500_000, "://" * 200_000, "eyJ" * 200_000, "a@" * 200_000, "aB3" * 200_000,
                                  "token" * 100_000, "x@" + "y." * 200_000])  # fmt: skip
def test_long_lines_of_anything_take_no_time_to_speak_of(text: str) -> None:
    began = clock.monotonic()
    sweep("refresh-" + "9aB" * 30, is_token=True).free(text)
    assert clock.monotonic() - began < 8


HOME = Path("/", "srv", "jane", "home")  # a user's folder, wherever users have theirs


@all_rows(
    "label",
    ["srv", "jane", "home", "codex", ".codex", "auth", "auth.json", "account", "secret", "token", "example", "http",
     "user-0123456789abcdefghij", "proxy.example", "CODEX_HOME", "sk-srv"],
)  # fmt: skip
@all_rows(
    ("said", "left"),
    [
        (f"cannot read {HOME}/.codex/auth.json", f"{HOME}"),
        (f'{{"path": {json.dumps(str(HOME / ".codex"))}}}', "jane"),
        (f"file://{HOME}/x and {quote(str(HOME), safe='')}", "jane"),
        ("via http://joe:hunter2@proxy.example:1", "hunter2"),
        ("token=hunter2 of jane@auth.example", "hunter2"),
        ("token=hunter2 of jane@auth.example", "jane"),
        ("access-of-ann in the account home", "access-of-ann"),
    ],
)
def test_what_a_label_is_called_hides_nothing_from_being_found(label: str, said: str, left: str) -> None:
    """Each label is part of something else that is to be replaced."""
    swept = Sweep(
        [Secret(text="access-of-ann", shown="token-of-account-2", token=True)],
        {label: "account-1"},
        {HOME: "~", HOME / ".codex": "CODEX_HOME"},
    )
    once = swept.free(said)
    assert left not in once
    assert swept.free(once) == once
    swept.check("this", once)


def test_a_folder_is_replaced_as_a_whole_whatever_else_its_parts_look_like() -> None:
    folder = HOME / f"user-{'aB3' * 8}" / "jane.roe"
    swept = Sweep([Secret(text="jane.roe", shown="account-1", name=True)], {"jane": "account-2"}, {folder: "~"})
    assert swept.free(f"in {folder}/.codex, {folder}.") == "in ~/.codex, ~."
    assert swept.free(f"{folder}x") != "~x"


@given(
    st.lists(st.sampled_from(["jane", "home", "account", "/", ".codex", "-", " ", "account-1", "[token]", str(HOME)]))
)
def test_labels_and_folders_leave_nothing_of_a_folder_in_any_text(parts: list[str]) -> None:
    swept = Sweep([], {"home": "account-1", "account": "account-2"}, {HOME: "~"})
    once = swept.free("".join(parts) + f" {HOME}")
    assert once.endswith("~")
    assert swept.free(once) == once


def test_what_overlaps_goes_as_a_whole() -> None:
    swept = Sweep([], {"jane roe": "account-1", "roe smith": "account-2", "x/srv": "account-3"}, {HOME: "~"})
    assert swept.free("jane roe smith") == "account-1"
    assert "jane" not in swept.free(f"x{HOME}")


def test_a_known_password_goes_whole_although_an_address_ends_within_it() -> None:
    swept = sweep("pw@proxy/rest-of-it")
    assert swept.text("via http://joe:pw@proxy/rest-of-it@host:1") == "via http://[secret]@host:1"


def test_a_password_that_is_a_word_of_a_placeholder_does_not_forbid_the_report() -> None:
    swept = sweep("secret", "account id")
    shown = swept.text("password=hunter2 and joe@example.com")
    assert "hunter2" not in shown
    swept.check("this", shown)


# --- where secrets are -----------------------------------------------------------------------------------------------


def texts(secrets: object) -> set[str]:
    assert not isinstance(secrets, str)
    return {each.text for each in secrets}  # type: ignore[attr-defined]


def test_every_value_of_a_login_file_counts_whole_or_not() -> None:
    document = {
        "auth_mode": "chatgpt",
        "last_refresh": "2026-01-01T00:00:00Z",
        "tokens": {"refresh_token": 'r"ü-123456'},
    }
    for text in (json.dumps(document), json.dumps(document, ensure_ascii=False)[:-1], json.dumps([document] * 2)[:-3]):
        assert texts(in_json(text, SHOWN)) == {'r"ü-123456'}


@all_rows(
    ("text", "found"),
    [
        ('api_key = "hunter2!!"', {"hunter2!!"}),
        ("export MY_TOKEN='hunter2!!'\r\n", {"hunter2!!"}),
        ('url = "http://joe:p%40ss@h:1"', {"joe:p%40ss", "p%40ss", "joe:p@ss", "p@ss"}),
        ('forced_login_method = "chatgpt"\nauth = "keyring"', set[str]()),
        ("", set[str]()),
    ],
)
def test_of_settings_what_is_called_a_secret(text: str, found: set[str]) -> None:
    assert texts(in_settings(text, SHOWN)) == found


def test_of_an_environment_too() -> None:
    environ = {"GITHUB_TOKEN": "ghp-hunter2", "SSH_AUTH_SOCK": "/tmp/x/agent.1", "A": "b", "P": "http://j:hunter2@h"}
    assert texts(in_variables(environ, SHOWN)) == {"ghp-hunter2", "j:hunter2", "hunter2"}


def test_a_user_and_password_are_found_in_a_header_too() -> None:
    swept = Sweep(in_settings('p = "http://joe:hunter2!!@h:1"', SHOWN))
    encoded = base64.b64encode(b"joe:hunter2!!").decode()
    assert encoded not in swept.text(f"x {encoded}")


def test_all_that_is_known_on_this_machine(home: Path, tmp_path: Path) -> None:
    """By placeholder; the pool's own accounts are numbered as `list` numbers them."""
    environ = {"CODEX_HOME": str(tmp_path), "CODEX_ROTATE_HOME": str(home), "MY_TOKEN": "hunter2-env"}
    login = {"tokens": {"refresh_token": "refresh-of-the-client", "account_id": "acct-of-the-client"}}
    private(tmp_path / "auth.json", json.dumps(login))
    with Store(home / "pool.db") as store:
        for number, name in enumerate(("ann", "bob")):
            ids = {"account_id": f"acct-{name}-1", "user_id": f"user-{name}-1"}
            seat = Account(**ids, label=name, email=f"{name}@example", added_at=float(number))
            store.put_account(seat, Credentials(access=f"access-{name}", refresh=f"refresh-{name}")).result()
        private(home / "client.key", "key-of-a-client\n")
        swept = gathered(store, environ)
        handle = store.accounts()[0].handle
    expected = {
        "access-ann": "token-of-account-1",
        "refresh-bob": "token-of-account-2",
        "acct-bob-1": "account-2",
        "acct-bob-1:user-bob-1": "account-2",
        "user-ann-1": "user-1",
        "ANN@example": "[e-mail]",
        handle: "account-1",
        "key-of-a-client": "client-key",
        "refresh-of-the-client": "secret-of-the-client",
        "acct-of-the-client": "secret-of-the-client",
        "bob": "account-2",
        "hunter2-env": "secret-of-the-environment",
        f"{home}/x": "CODEX_ROTATE_HOME/x",
    }
    assert {said: swept.free(said) for said in expected} == expected
    assert gathered(None, environ).free("refresh-of-the-client bob") == "secret-of-the-client bob"


def test_files_that_cannot_be_read_hide_nothing_more(tmp_path: Path) -> None:
    (tmp_path / "auth.json").mkdir()
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe token = 'hunter2!!'")
    environ = {"CODEX_HOME": str(tmp_path), "CODEX_ROTATE_HOME": str(tmp_path / "none")}
    assert "hunter2" not in gathered(None, environ).text("hunter2!!")


@pytest.mark.parametrize("end", ["", "}"])
def test_what_stands_between_two_texts_is_no_secret(end: str) -> None:
    """`: null, ` is in every other file. Whole, and cut short."""
    text = '{"OPENAI_API_KEY": null, "tokens": {"access_token": "a-token-of-some-length"}' + end
    assert [each.text for each in in_json(text, "x")] == ["a-token-of-some-length"]

"""What an answer says of a person's workspaces; whatever it says, a token goes to the provider's hosts only."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.errors import UnsafeBackend
from accounts.logins.auth_file import Login
from accounts.logins.workspaces import Workspace, check_url, read_workspaces, routed
from accounts.origin import host_of
from tests.builders import account, credentials
from tests.rows import all_rows

NO_CONSTRAINT = "NO_CONSTRAINT"

NAMES = st.sampled_from(
    ["id", "name", "plan_type", "structure", "workspace_backend_origin", "account_routing_override"]
)
WORDS = st.sampled_from(
    ["acct-a", "acct-b", "", NO_CONSTRAINT, "https://gov.chatgpt.com", "https://evil.example", "us"]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=5),
    max_leaves=10,
)
ENTRIES = st.lists(st.dictionaries(NAMES, WORDS | ANYTHING, max_size=6) | ANYTHING, max_size=4)


def entry(account_id: object = "acct-a", **changes: object) -> dict[str, object]:
    routing = {"workspace_backend_origin": NO_CONSTRAINT, "account_routing_override": NO_CONSTRAINT}
    return {"id": account_id, **routing, **changes}


def body(*entries: object, **beside: object) -> bytes:
    return json.dumps({"accounts": entries, **beside}).encode()


def read_one(**changes: object) -> Workspace:
    (workspace,) = read_workspaces(body(entry(**changes)))
    return workspace


# --- where to ask ----------------------------------------------------------------------------------------------------


def test_the_question_goes_to_the_configured_backend() -> None:
    assert check_url("https://chatgpt.com/backend-api/") == "https://chatgpt.com/backend-api/wham/accounts/check"
    assert check_url("http://127.0.0.1:8/usage") == "http://127.0.0.1:8/usage/wham/accounts/check"


@all_rows("base", ["http://chatgpt.com/backend-api", "ftp://127.0.0.1", "chatgpt.com", ""])
def test_a_token_never_leaves_this_machine_in_the_clear(base: str) -> None:
    with pytest.raises(UnsafeBackend):
        check_url(base)


# --- what it says ----------------------------------------------------------------------------------------------------


def test_the_smallest_answer() -> None:
    """docs/codex-wire.md section 1.1; NO_CONSTRAINT is no constraint."""
    assert read_workspaces(body(entry())) == (Workspace(account_id="acct-a"),)


def test_everything_that_may_be_said() -> None:
    said = {"name": " Example Ltd ", "plan_type": "team", "structure": "workspace", "profile_picture_url": "x"}
    routing = {"workspace_backend_origin": "https://gov.chatgpt.com", "account_routing_override": "us_cr"}
    assert read_one(**said, **routing) == Workspace(
        account_id="acct-a",
        name="Example Ltd",
        plan="team",
        structure="workspace",
        backend_origin="https://gov.chatgpt.com",
        routing_override="us_cr",
    )


@all_rows(
    ("ordering", "order"),
    [
        (["acct-c", "acct-a"], "cab"),
        (["acct-b"], "bac"),
        (["acct-x", 1, None, ["acct-c"]], "abc"),
        (None, "abc"),
        ("acct-c", "abc"),
    ],
)
def test_the_providers_order(ordering: object, order: str) -> None:
    """Those it does not mention come after the others, as they were listed."""
    listed = read_workspaces(body(*(entry(f"acct-{each}") for each in "abc"), account_ordering=ordering))
    assert [each.account_id for each in listed] == [f"acct-{each}" for each in order]


@all_rows(
    "origin",
    [
        "http://chatgpt.com",
        "chatgpt.com",
        "https://evil.example",
        "https://chatgpt.com.evil.example",
        "https://chatgpt.com:8443",
        "https://chatgpt.com/path",
        "https://user@chatgpt.com",
        "https://chatgpt.com\n",
        "https://",
        "",
        None,
        7,
        ["https://chatgpt.com"],
    ],
)
def test_an_origin_that_is_not_the_providers_is_no_answer(origin: object) -> None:
    """The rest of the entry counts all the same."""
    assert read_one(workspace_backend_origin=origin, name="Ltd") == Workspace(account_id="acct-a", name="Ltd")


@all_rows("override", ["eu", "US", "us\r\nx: y", "", None, 1, ["us"], {"us": 1}])
def test_an_override_that_nobody_knows_is_no_answer(override: object) -> None:
    assert read_one(account_routing_override=override).routing_override is None


@all_rows("text", ["\x1b[31mred", "two\nlines", "\ud800", "\u202etxt", 7, None, ["a"]])
def test_text_that_would_disturb_a_terminal_is_left_out(text: object) -> None:
    shown = read_one(name=text, plan_type=text, structure=text)
    assert (shown.name, shown.plan, shown.structure) == ("", "", "")
    assert len(read_one(name="x" * 1000).name) == 60


@all_rows("account_id", ["", " ", "a b", "a\nb", "ä", None, 7, ["acct-a"], {}])
def test_an_entry_without_an_id_is_none(account_id: object) -> None:
    assert read_workspaces(body(entry(account_id), entry("acct-b"), "acct-c")) == (Workspace(account_id="acct-b"),)


def test_an_id_that_occurs_twice_is_none() -> None:
    """Whichever of the two was taken, it might be the wrong one."""
    assert read_workspaces(body(entry(), entry("acct-b"), entry(name="again"))) == (Workspace(account_id="acct-b"),)


@all_rows(
    "odd", [b"", b"<html>", b"\xff", b"[]", b"7", b"null", b'{"accounts": {}}', b"{}", b"[" * 100_000, b"1" * 5000]
)
def test_a_body_that_cannot_be_understood(odd: bytes) -> None:
    assert read_workspaces(odd) == ()


@given(st.binary(max_size=60) | st.builds(lambda e, o: body(*e, account_ordering=o), ENTRIES, ANYTHING))
def test_reading_never_raises(content: bytes) -> None:
    """And nothing that comes of it leads a token elsewhere, or is no id that can be sent."""
    for each in read_workspaces(content):
        login = routed(Login(account=account("a"), credentials=credentials("a")), each)
        assert host_of(login.account).endswith("chatgpt.com")
        assert login.account.routing_override in {None, "us", "us_cr"}
        assert each.account_id.isascii()
        assert (each.name + each.plan + each.structure + each.account_id).isprintable()


# --- what becomes of it ----------------------------------------------------------------------------------------------


def test_a_login_takes_over_the_routing_and_nothing_else() -> None:
    login = Login(account=account("a", label="work", plan="pro"), credentials=credentials("a"))
    said: dict[str, Any] = {"name": "Ltd", "plan": "team"}
    there = routed(
        login, Workspace(account_id="x", backend_origin="https://eu.chatgpt.com", routing_override="us", **said)
    )
    assert there.account == account(
        "a", label="work", plan="pro", backend_origin="https://eu.chatgpt.com", routing_override="us"
    )
    assert there.credentials is login.credentials

"""Which project a turn is for; never a credential of a remote's address."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.ledger.projects import project_of, short_name

SECRET = "ghp_aSecretNobodyMaySee"


def told(*workspaces: tuple[str, dict[str, str] | None]) -> str:
    about = {folder: {"associated_remote_urls": urls} if urls else {} for folder, urls in workspaces}
    return json.dumps({"thread_id": "t", "workspaces": about})


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/owner/repo.git", "owner/repo"),
        (f"https://user:{SECRET}@github.com/owner/repo", "owner/repo"),
        (f"https://{SECRET}@github.com/owner/repo.git/", "owner/repo"),
        (f"https://github.com/owner/repo.git?token={SECRET}#x", "owner/repo"),
        ("git@github.com:owner/repo.git", "owner/repo"),
        (f"{SECRET}@host:repo", "repo"),
        ("ssh://git@host:22/group/sub/repo.git", "sub/repo"),
        ("file:///srv/git/repo.git", "repo"),
        ("/srv/git/repo.git", "repo"),
        ("C:\\work\\repo", "repo"),
        ("https://[broken", ""),
        ("https://host", ""),
        ("", ""),
    ],
)
def test_a_remote_gives_a_short_name_and_no_more(url: str, name: str) -> None:
    assert short_name(url) == name


def test_origin_comes_before_other_remotes() -> None:
    assert project_of(told(("/w/x", {"a": "git@h:a/a", "origin": "git@h:o/o", "upstream": "git@h:u/u"}))) == "o/o"
    assert project_of(told(("/w/x", {"a": "git@h:a/a", "upstream": "git@h:u/u"}))) == "u/u"
    assert project_of(told(("/w/x", {"b": "git@h:b/b", "a": "git@h:a/a"}))) == "a/a"


def test_without_a_remote_the_folder_names_the_project() -> None:
    assert project_of(told(("/w/my folder/", None))) == "my folder"
    assert project_of(told(("C:\\w\\it", None))) == "it"


@pytest.mark.parametrize("metadata", ["", "{", "[]", '{"workspaces": 3}', '{"workspaces": {"/": 1}}', "{}"])
def test_what_says_nothing_of_a_folder_gives_no_name(metadata: str) -> None:
    assert project_of(metadata) == ""


@given(st.text(), st.sampled_from(["https://u:%s@h/%s", "ssh://%s@h/%s", "%s@host:%s", "https://%s@h/o/%s.git"]))
def test_no_address_fails_or_gives_its_password_away(path: str, form: str) -> None:
    assert SECRET not in short_name(form % (SECRET, path))

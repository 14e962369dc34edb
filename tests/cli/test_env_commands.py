"""`env`: each shell gets back exactly the values, whatever characters are in them."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from accounts.errors import UsageError
from cli.env_commands import Shell, env, shell_of

type Run = Callable[..., Any]

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
PROXY = "http://127.0.0.1:8118"
NAMES = [
    "with  two spaces",
    'it\'s "quoted"',
    "$HOME `id` $(id) %PATH% !x *?~#;&|<>(){}[]",
    "a\\b\\\\c\\'d",
    "ü 漢 ‘a’ ‚b‛ “c”",
    "'",
]
PROGRAMS = {
    Shell.BASH: ["bash", "--norc", "-c"],
    Shell.ZSH: ["zsh", "-f", "-c"],
    Shell.FISH: ["fish", "--no-config", "-c"],
    Shell.POWERSHELL: ["pwsh", "-NoProfile", "-Command"],
}


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy", "CODEX_CA_CERTIFICATE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SHELL", "/bin/bash")


@pytest.fixture
def authority(home: Path) -> Path:
    """The certificate, where the commands look for it."""
    file = home / "ca" / "mitmproxy-ca-cert.pem"
    file.parent.mkdir(parents=True)
    file.write_text(CERTIFICATE)
    return file


@pytest.mark.skipif(os.name != "posix", reason="such names are a POSIX matter")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shell", Shell)
def test_a_shell_reads_back_what_was_written(shell: Shell, name: str, tmp_path: Path) -> None:
    """The shell itself evaluates the lines and starts a program, which shows its environment."""
    program, *flags = PROGRAMS[shell]
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    file = tmp_path / name / "ca.pem"
    file.parent.mkdir()
    file.write_text(CERTIFICATE)
    users = {"NO_PROXY": f"{name},b"}
    result = env(shell, PROXY, file, users)
    script = f"{result.message}\nenv -0"
    done = subprocess.run(
        [found, *flags, script],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    shown = dict(line.split("=", 1) for line in done.stdout.decode().split("\0") if "=" in line)
    assert {key: shown.get(key) for key in ("HTTPS_PROXY", "NO_PROXY", "CODEX_CA_CERTIFICATE")} == result.data
    assert shown["CODEX_CA_CERTIFICATE"] == str(file)


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("bash", "export NO_PROXY='it'\"'\"'s'"),
        ("zsh", "export NO_PROXY='it'\"'\"'s'"),
        ("fish", "set -gx NO_PROXY 'it\\'s'"),
        ("powershell", "$env:NO_PROXY = 'it''s'"),
    ],
)
def test_each_shell_has_its_own_way_to_quote(shell: str, line: str, authority: Path) -> None:
    """Where a shell is not installed, this is what shows how it is written."""
    lines = env(Shell(shell), PROXY, authority, {"NO_PROXY": "it's"}).message.splitlines()
    assert line == lines[1].replace("localhost,127.0.0.1,::1,", "")


def test_typographic_quotes_end_a_string_in_powershell(authority: Path) -> None:
    lines = env(Shell.POWERSHELL, PROXY, authority, {"NO_PROXY": "a’b"}).message
    assert "a’’b" in lines


def test_the_command(run: Run, authority: Path) -> None:
    """The lines and nothing else on stdout; as JSON the variables."""
    ran = run("env")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        f"export HTTPS_PROXY={PROXY}",
        "export NO_PROXY=localhost,127.0.0.1,::1",
        f"export CODEX_CA_CERTIFICATE='{authority}'",
    ]
    ran = run("env", "--json", "--proxy", "http://[::1]:9/")
    assert ran.json["HTTPS_PROXY"] == "http://[::1]:9"
    assert ran.json["CODEX_CA_CERTIFICATE"] == str(authority)
    assert run("env", "--shell", "fish").out.startswith("set -gx HTTPS_PROXY")


def test_json_needs_no_shell(run: Run, authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    assert run("env").code == 2
    assert run("env", "--json").code == 0


@pytest.mark.parametrize(
    ("login", "system", "shell"),
    [
        ("/bin/bash", "posix", Shell.BASH),
        ("/bin/sh", "posix", Shell.BASH),
        ("/usr/bin/zsh", "posix", Shell.ZSH),
        ("/usr/local/bin/fish", "posix", Shell.FISH),
        ("/opt/pwsh", "posix", Shell.POWERSHELL),
        ("", "posix", Shell.BASH),
        ("", "nt", Shell.POWERSHELL),
        ("/usr/bin/bash.exe", "nt", Shell.BASH),
    ],
)
def test_the_shell_is_that_of_the_login(login: str, system: str, shell: Shell) -> None:
    assert shell_of({"SHELL": login} if login else {}, system) is shell


def test_a_shell_that_is_not_known_is_not_guessed() -> None:
    with pytest.raises(UsageError, match="--shell"):
        shell_of({"SHELL": "/bin/tcsh"}, "posix")


def test_without_an_authority_nothing_is_printed(run: Run) -> None:
    """A shell that evaluates the answer stays as it is; the client would only fail after 22 s."""
    ran = run("env")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "codex-rotate ca create" in ran.err
    assert run("env", "--json").json["exit_code"] == 1


def test_an_address_that_the_client_cannot_use_is_wrong_usage(run: Run, authority: Path) -> None:
    ran = run("env", "--proxy", "https://127.0.0.1:8118")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "http://HOST:PORT" in ran.err


def test_a_no_proxy_that_undoes_it_is_told(run: Run, authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On stderr, so that the shell does not evaluate it."""
    monkeypatch.setenv("NO_PROXY", ".chatgpt.com")
    ran = run("env")
    assert (ran.code, ran.err.count("\n")) == (0, 1)
    assert ".chatgpt.com" in ran.err

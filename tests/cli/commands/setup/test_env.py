"""`env`: each shell gets back exactly the values, whatever characters are in them."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from certs import ca, debug_ca
from certs.bundles import certificates
from certs.environment import TOOL_VARIABLES
from cli.commands.setup.env import env
from cli.ui.shells import Shell
from config import clock

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
    for name in ("NO_PROXY", "no_proxy", "CODEX_CA_CERTIFICATE", *TOOL_VARIABLES):
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
    file = tmp_path / name / "mitmproxy-ca-cert.pem"
    file.parent.mkdir()
    file.write_text(CERTIFICATE)
    users = {"NO_PROXY": f"{name},b"}
    result = env(shell, PROXY, file.parent, users)
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
    lines = env(Shell(shell), PROXY, authority.parent, {"NO_PROXY": "it's"}).message.splitlines()
    assert line == lines[1].replace("localhost,127.0.0.1,::1,", "")


def test_typographic_quotes_end_a_string_in_powershell(authority: Path) -> None:
    lines = env(Shell.POWERSHELL, PROXY, authority.parent, {"NO_PROXY": "a’b"}).message
    assert "a’’b" in lines


def test_the_command(run: Run, authority: Path) -> None:
    """The lines and nothing else on stdout; as JSON the variables."""
    ran = run("env")
    assert (ran.code, ran.err.count("\n"), "no proxy runs" in ran.err) == (0, 1, True)
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
    assert (ran.code, ran.err.count("\n")) == (0, 2)
    assert ".chatgpt.com" in ran.err


# --- other tools -----------------------------------------------------------------------------------------------------


def test_after_a_renewal_the_client_gets_both(run: Run, home: Path) -> None:
    """The one that a proxy from before still signs with too."""
    ca.create(home / "ca", clock.now())
    ca.renew(home / "ca", clock.now(), force=True)
    named = Path(run("env", "--json").json["CODEX_CA_CERTIFICATE"])
    assert len(certificates(named.read_bytes())) == 2


def test_other_tools_get_nothing_unless_asked(run: Run, authority: Path) -> None:
    """They need no certificate of ours for hosts that the proxy does not open."""
    data = run("env", "--json").json
    assert not set(data) & set(TOOL_VARIABLES)
    assert list(authority.parent.iterdir()) == [authority]


def test_all_tools_get_a_full_bundle(run: Run, home: Path) -> None:
    """With the roots of the system, since most of them take it instead."""
    ca.create(home / "ca", clock.now())
    data = run("env", "--all-tools", "--json").json
    assert {data[name] for name in TOOL_VARIABLES} == {str(home / "ca" / "all-tools.pem")}
    found = certificates(Path(data["SSL_CERT_FILE"]).read_bytes())
    assert len(found) > 10
    assert found[-1:] == certificates(Path(data["CODEX_CA_CERTIFICATE"]).read_bytes())
    ran = run("env", "--all-tools")
    assert f"export GIT_SSL_CAINFO='{home / 'ca' / 'all-tools.pem'}'" in ran.out.splitlines()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_takes_the_bundle_for_its_roots(run: Run, home: Path, tmp_path: Path) -> None:
    """It reads the file; that nothing listens is its only complaint, not the file (exit codes 7 and 77)."""
    ca.create(home / "ca", clock.now())
    data = run("env", "--all-tools", "--json").json
    done = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "https://127.0.0.1:1/"],
        env={"PATH": os.environ["PATH"], "CURL_CA_BUNDLE": data["CURL_CA_BUNDLE"]},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 7, done.stderr


# --- debugging -------------------------------------------------------------------------------------------------------


def test_to_intercept_all_the_debug_certificate_is_trusted(run: Run, home: Path) -> None:
    """By every tool of that shell, since what any of them sends is opened; and the person is told for how long."""
    made = debug_ca.ensure(home / "debug-ca", clock.now())
    ran = run("env", "--intercept-all", "--json")
    assert ran.json["CODEX_CA_CERTIFICATE"] == str(home / "debug-ca" / "mitmproxy-ca-cert.pem")
    assert {ran.json[name] for name in TOOL_VARIABLES} == {str(home / "debug-ca" / "all-tools.pem")}
    found = certificates(Path(ran.json["SSL_CERT_FILE"]).read_bytes())
    assert found[-1:] == certificates(made.file.read_bytes())
    assert (ran.err.count("\n"), made.name in ran.err) == (2, True)
    assert not (home / "ca").exists()


def test_without_a_debug_ca_it_names_the_command_that_makes_one(run: Run, home: Path) -> None:
    """Also when there is one that has expired, or only the other one."""
    ca.create(home / "ca", clock.now())
    debug_ca.ensure(home / "debug-ca", clock.now() - 8 * 86_400)
    ran = run("env", "--intercept-all")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "codex-rotate serve --intercept-all" in ran.err


def test_the_debug_certificate_never_gets_into_the_other_bundles(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even when they are made in a shell that trusts it."""
    ca.create(home / "ca", clock.now())
    debug = debug_ca.ensure(home / "debug-ca", clock.now())
    for name, value in run("env", "--intercept-all", "--json").json.items():
        if name.isupper():
            monkeypatch.setenv(name, value)
    assert run("env", "--all-tools").code == 0
    assert run("bind", "--force").code == 0
    (shown,) = certificates(debug.file.read_bytes())
    for name in ("all-tools.pem", "bundle.pem"):
        found = certificates((home / "ca" / name).read_bytes())
        assert shown not in found
        assert len(found) > 10

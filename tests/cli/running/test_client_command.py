"""What a client is started with: its program, an environment, and its own file that may undo that."""

from pathlib import Path

import pytest

from cli.running.client_command import (
    Bound,
    ClientMissing,
    OwnProxyInDotenv,
    client_command,
    environment,
    led_by_dotenv,
)
from config import dotenv
from config.proxy_files import ProxyInfo


@pytest.fixture
def path(tmp_path: Path) -> dict[str, str]:
    """A PATH with a `codex` and another program on it."""
    folder = tmp_path / "programs of mine"
    folder.mkdir()
    for name in ("codex", "other"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return {"PATH": str(folder)}


def test_the_client_is_kept_from_its_daemon(path: dict[str, str]) -> None:
    """Right behind its name, where subcommands take it too; what the user says of it holds."""
    codex = f"{path['PATH']}/codex"
    flags = ["-c", "features.daemon_auto_start=false"]
    assert client_command(["codex"], path) == [codex, *flags]
    assert client_command([codex, "exec", "hi"], path) == [codex, *flags, "exec", "hi"]
    own = ["-c", "features.daemon_auto_start=true", "resume"]
    assert client_command(["codex", *own], path) == [codex, *own]
    assert client_command(["other", "-c", "x"], path) == [f"{path['PATH']}/other", "-c", "x"]


@pytest.mark.parametrize(("name", "said"), [("codex", "npm install -g @openai/codex"), ("kodex", "Check the name")])
def test_a_client_that_is_not_there(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ClientMissing, match=said) as missing:
        client_command([name], {"PATH": str(tmp_path)})
    assert missing.value.exit_code == 127


def test_the_environment_of_the_client() -> None:
    """Ours, and one proxy under one name; what would lead it past the proxy is left out."""
    told = ProxyInfo(url="http://127.0.0.1:1", pid=1, home="/h", certificate="/h/ca/cert.pem", version="1")
    users = {
        "PATH": "/bin",
        "https_proxy": "http://old:1",
        "ALL_PROXY": "socks5://x",
        "no_proxy": "a.test, .chatgpt.com",
    }
    assert environment("http://led:1", told, users | {"HTTPS_PROXY": "http://old:2"}) == {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://led:1",
        "NO_PROXY": "localhost,127.0.0.1,::1,a.test",
        "CODEX_CA_CERTIFICATE": "/h/ca/mitmproxy-ca-cert.pem",
    }


def test_where_the_clients_own_file_leads(tmp_path: Path) -> None:
    """It goes before any environment."""
    file = tmp_path / ".env"
    assert led_by_dotenv(file) == Bound(file=file)
    file.write_bytes(b"OTHER=1\r\nNO_PROXY=a.test\r\n")
    assert led_by_dotenv(file).url is None
    variables = {"HTTPS_PROXY": "http://127.0.0.1:8118", "SSL_CERT_FILE": "/a b/c.pem", "NO_PROXY": "x"}
    file.write_bytes(dotenv.bind(file.read_bytes(), variables))
    assert led_by_dotenv(file).url == "http://127.0.0.1:8118"


@pytest.mark.parametrize(
    "line", ["HTTPS_PROXY=http://a:1", "export https_proxy='http://a:1'", "NO_PROXY=chatgpt.com", "no_proxy=*"]
)
def test_what_would_undo_it_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / ".env"
    file.write_text(f"# mine\n{line}\n")
    with pytest.raises(OwnProxyInDotenv, match="line 2"):
        led_by_dotenv(file)

"""The provider's names stand in one file, and only its own hosts are taken for its hosts."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.provider import PROVIDER

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("accounts", "addons", "certs", "cli", "config")
NAMES = re.compile(r"chatgpt\\?\.com|openai\\?\.com")
EXAMPLES = {
    "cli/ui/examples.py",  # command lines as people type them
    "cli/commands/accounts/login.py",  # help and sentences
    "cli/login/flows.py",
    "cli/commands/accounts/transfer.py",
}


def texts_in_code(tree: ast.AST) -> Iterator[ast.Constant]:
    """Every text of a file but its docstrings."""
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node


def naming_the_provider() -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if any(NAMES.search(str(node.value)) for node in texts_in_code(ast.parse(path.read_text(encoding="utf-8"))))
    }


def test_no_other_file_of_the_product_knows_the_providers_hosts() -> None:
    assert naming_the_provider() == {"config/provider.py", *EXAMPLES}


@pytest.mark.parametrize("host", ["chatgpt.com", "eu.chatgpt.com", "a-1.chatgpt.com"])
def test_the_providers_own_hosts(host: str) -> None:
    assert PROVIDER.hosts.fullmatch(host)


@pytest.mark.parametrize(
    "host", ["a.b.chatgpt.com", "xchatgpt.com", "chatgpt.com.evil", "chatgptxcom", "EU.chatgpt.com", ""]
)
def test_other_hosts(host: str) -> None:
    assert PROVIDER.hosts.fullmatch(host) is None


def test_addresses_are_made_of_hosts_and_paths() -> None:
    assert PROVIDER.backend_url == "https://chatgpt.com/backend-api"
    assert PROVIDER.responses_path == "/backend-api/codex/responses"
    assert PROVIDER.token_url == "https://auth.openai.com/oauth/token"
    assert PROVIDER.host in PROVIDER.domains

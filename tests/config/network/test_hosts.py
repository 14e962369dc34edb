"""What is this machine itself, and what only looks like it."""

import pytest

from config.network.hosts import is_loopback


@pytest.mark.parametrize(
    ("host", "is_one"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("", False),
    ],
)
def test_only_this_machine_is_this_machine(host: str, is_one: bool) -> None:
    assert is_loopback(host) is is_one

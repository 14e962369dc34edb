"""The port of the page: the one that was named, or the next one that is free; and who has it."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from addons.dashboard.binding import PagePortTaken, bind, who_has
from config import proxy_files
from config.page.address import PageAddress
from config.proxy_files import ProxyInfo


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody has."""
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        yield int(other.getsockname()[1])


def test_a_port_that_was_named_is_taken_or_nothing(taken: int) -> None:
    with pytest.raises(PagePortTaken, match=rf"cannot be at 127\.0\.0\.1:{taken} .* listens there: end it, or name"):
        bind(PageAddress(host="127.0.0.1", port=taken))


def test_else_the_next_free_one_is_taken_and_it_is_said_who_has_the_usual_one(taken: int) -> None:
    bound = bind(PageAddress(host="127.0.0.1", port=taken, named=False))
    with closing(bound.listener):
        assert bound.address.port > taken
        assert "8119" in bound.aside


def test_a_free_port_needs_no_words() -> None:
    bound = bind(PageAddress(host="127.0.0.1", port=0))
    with closing(bound.listener):
        assert (bound.aside, bound.address.port) == ("", bound.listener.getsockname()[1])


def test_an_address_of_another_machine() -> None:
    with pytest.raises(PagePortTaken, match="does not have that address"):
        bind(PageAddress(host="203.0.113.7", port=0))


@pytest.mark.skipif(sys.platform != "linux", reason="another system does not tell whose a socket is in this way")
def test_a_process_of_this_user_is_named(taken: int) -> None:
    assert who_has(taken).startswith(f"Process {os.getpid()} (")


def test_the_page_of_another_proxy_is_named(taken: int, own_home: Path) -> None:
    proxy_files.announce(
        ProxyInfo(
            url="http://127.0.0.1:1", pid=os.getpid(), home="", certificate="", version="",
            page=f"http://127.0.0.1:{taken}/",
        ),
        proxy_files.folder(),
    )  # fmt: skip
    assert who_has(taken) == f"The page of another proxy of this pool (process {os.getpid()}, http://127.0.0.1:1)"

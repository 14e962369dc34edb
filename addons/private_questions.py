"""Answers the commands of the proxy's owner on a socket that nobody else can open (config/private_socket.py).

A question is a line: the key that the command would have clients use, or nothing. The answer is what the proxy tells
about itself, or nothing for a key that it would refuse. A word that is no key asks for something else.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from mitmproxy.utils import asyncio_utils

from config import private_socket
from config.errors import ConfigError

logger = logging.getLogger(__name__)

MOST_ASKED: Final = 4096


class PrivateQuestions:
    """`answer` takes a key and gives the answer; `words` has what is answered to words that are no keys."""

    def __init__(
        self, answer: Callable[[str], str], words: Mapping[str, Callable[[], str]] = MappingProxyType({})
    ) -> None:
        self._answer = answer
        self._words = words
        self._folder = Path()
        self._place: Path | None = None
        self._server: asyncio.Server | None = None
        self._starting: asyncio.Task[None] | None = None

    def open(self, folder: Path) -> str:
        """Begin to answer: where; "" if there can be no such socket, and commands ask over TCP."""
        if not private_socket.usable():
            return ""
        try:
            self._folder, place = folder, private_socket.place_for(folder, os.getpid())
            listener = private_socket.listening(place)
        except (OSError, ConfigError) as e:
            logger.debug("codex-rotate: commands ask this proxy over TCP: %s", e)
            return ""
        self._place = place

        async def serve() -> None:
            self._server = await asyncio.start_unix_server(self._asked, sock=listener, limit=MOST_ASKED)

        self._starting = asyncio_utils.create_task(serve(), name="private questions", keep_ref=True)
        return str(place)

    def close(self) -> None:
        """Answer no more: whoever asks now is told by nobody that this address is ours."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._place is not None:
            private_socket.taken_away(self._place, self._folder)
            self._place = None

    async def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(private_socket.SECONDS):
                asked = await reader.readline()
                if private_socket.peer_is(writer.get_extra_info("socket"), os.geteuid()):
                    writer.write(self._said(asked.decode().strip()).encode())
                    await writer.drain()
        except (OSError, ValueError, TimeoutError):
            pass
        finally:
            writer.close()

    def _said(self, asked: str) -> str:
        return self._words[asked]() if asked in self._words else self._answer(asked)

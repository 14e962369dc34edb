"""The turns that are under way in the proxies of this home, as these tell on their private sockets."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from accounts.views.live_turns import LiveTurn, from_json
from config import private_socket, proxy_files


def live_turns(environ: Mapping[str, str] = os.environ) -> tuple[LiveTurn, ...]:
    """Of every proxy that runs and answers, the oldest first; none where none runs, or has no such socket.

    A proxy that ends, and waits for its last turns, says nothing any more. May take seconds for one that hangs.
    """
    if not private_socket.usable():
        return ()
    found: dict[str, LiveTurn] = {}
    for proxy in proxy_files.announced(proxy_files.folder(environ)):
        if proxy.socket:
            found |= {each.id: each for each in _asked(Path(proxy.socket))}
    return tuple(sorted(found.values(), key=lambda each: each.began))


def _asked(place: Path) -> tuple[LiveTurn, ...]:
    """What is answered there. A proxy of another version takes the word for a key, and tells of itself, or nothing."""
    with suppress(OSError):
        return from_json(private_socket.ask(place, private_socket.LIVE.encode(), private_socket.MOST_LIVE)) or ()
    return ()

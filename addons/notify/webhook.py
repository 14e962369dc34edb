"""Posts a notice to an https address, signed. Nothing of the answer but its status is read; no redirect is followed."""

import asyncio
from pathlib import Path
from typing import Final

from accounts.notices.notice import SIGNATURE, TIMESTAMP, signature
from config import version
from config.errors import ConfigError
from config.network.outbound import way_to
from config.notify import SHORTEST_SECRET, NotifySettings

DEADLINE: Final = 10.0
"""Seconds for all of it, however slowly the other side speaks."""
LARGEST_SECRET: Final = 8_192
"""Bytes of a file."""


async def post(settings: NotifySettings, body: bytes, now: float, seconds: float = DEADLINE) -> tuple[bool, str]:
    """Whether it was accepted, and in words what came back. Nothing in them is of the address but its host."""
    import httpx

    try:
        key = secret_of(settings)
    except OSError as e:
        return False, f"secret_file cannot be read ({e.strerror or 'no file'})"
    except ValueError as e:
        return False, str(e)
    timestamp = f"{now:.0f}"
    headers = {
        "content-type": "application/json",
        "user-agent": f"codex-rotate/{version.current()}",
        TIMESTAMP: timestamp,
        SIGNATURE: signature(key, timestamp, body),
    }
    way = None
    try:
        way = way_to(settings.webhook)
        waits = {"timeout": httpx.Timeout(seconds).as_dict()}
        request = httpx.Request("POST", settings.webhook, headers=headers, content=body, extensions=waits)
        async with asyncio.timeout(seconds), way.async_transport() as transport:
            answer = await transport.handle_async_request(request)
            await answer.aclose()
    except (TimeoutError, httpx.TimeoutException):
        return False, f"no answer within {seconds:g} s"
    except ConfigError as e:
        return False, str(e)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as e:
        return False, way.failure(e) if way is not None else type(e).__name__
    return 200 <= answer.status_code < 300, f"it answered {answer.status_code}"


def secret_of(settings: NotifySettings) -> bytes:
    """What notices are signed with. Raises OSError for a file that cannot be read, ValueError for one without any."""
    if not settings.secret_file:
        return settings.secret.encode()
    with Path(settings.secret_file).open("rb") as file:
        found = file.read(LARGEST_SECRET + 1).strip()
    if not SHORTEST_SECRET <= len(found) <= LARGEST_SECRET:
        raise ValueError(f"secret_file must hold {SHORTEST_SECRET} to {LARGEST_SECRET} bytes")
    return found

"""A client for the demo where the official one is not installed: the same request, byte for byte of what matters.

It sends what `codex exec` sends over HTTP: a zstd body, the thread's headers, the home login's credentials
(docs/codex-wire.md sections 2 and 9), and reads the events as they come.
"""

import json
import ssl
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

from cli.processes import Finished

RESPONSES = "https://chatgpt.com/backend-api/codex/responses"


def ask(proxy: str, ca_file: Path, auth: Mapping[str, object], prompt: str) -> Finished:
    """One turn through the proxy. `auth` is the home login in the shape of auth.json."""
    import httpx
    import zstandard

    tokens = auth["tokens"]
    assert isinstance(tokens, dict)
    thread = str(uuid.uuid4())
    headers = {
        "authorization": f"Bearer {tokens['access_token']}",
        "chatgpt-account-id": str(tokens["account_id"]),
        "originator": "codex_exec",
        "session-id": thread,
        "thread-id": thread,
        "accept": "text/event-stream",
        "content-type": "application/json",
        "content-encoding": "zstd",
    }
    body = {
        "model": "gpt-5-codex",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": prompt}]}],
        "stream": True,
        "store": False,
        "prompt_cache_key": thread,
    }
    packed = zstandard.ZstdCompressor().compress(json.dumps(body).encode())
    trust = ssl.create_default_context(cafile=str(ca_file))
    with (
        httpx.Client(proxy=proxy, verify=trust, timeout=60, trust_env=False) as client,
        client.stream("POST", RESPONSES, headers=headers, content=packed) as answer,
    ):
        if answer.status_code != 200:
            answer.read()
            return Finished(1, "", answer.text)
        return Finished(0, "".join(_texts(answer.iter_lines())), "")


def _texts(lines: Iterable[str]) -> list[str]:
    """The text of an answer, delta by delta."""
    texts = []
    for line in lines:
        if line.startswith("data:"):
            event = json.loads(line.removeprefix("data:"))
            if event.get("type") == "response.output_text.delta":
                texts.append(event["delta"])
    return texts

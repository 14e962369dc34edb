"""A mitmproxy script that writes down everything mitmproxy can show of a flow: views, exports, the flow's own state.

ONLOOKER is the file. What raises is written down too: a view or an export that fails shows nothing.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mitmproxy import contentviews, flow, http
from mitmproxy.addons import export

VIEWS = ("auto", "Codex", "JSON", "Raw", "URL-encoded", "Hex Dump")


def views(seen: http.HTTPFlow) -> Iterator[object]:
    messages: list[Any] = [seen.request, seen.response, *(seen.websocket.messages if seen.websocket else [])]
    for message in messages:
        for view in VIEWS if message is not None and message.content else ():
            yield contentviews.prettify_message(message, seen, view).text


def exports(seen: flow.Flow) -> Iterator[object]:
    for form in export.formats.values():
        try:
            yield form(seen)
        except Exception as e:  # noqa: BLE001 - a binary body has no curl command, for example
            yield repr(e)


def look(seen: http.HTTPFlow) -> None:
    with Path(os.environ["ONLOOKER"]).open("ab") as file:
        file.writelines(
            each if isinstance(each, bytes) else str(each).encode("utf-8", "surrogateescape")
            for each in (seen.get_state(), *exports(seen), *views(seen))
        )


def response(flow: http.HTTPFlow) -> None:
    look(flow)


error = websocket_message = websocket_end = response

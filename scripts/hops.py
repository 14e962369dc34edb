# ruff: noqa: INP001 - scripts/ holds programs
"""How many files of the product one turn passes, and how often it goes from one of them into another.

    .venv/bin/python -m scripts.hops

A turn whose first account is at its limit, over HTTP/1.1 and in a WebSocket, through this clone's proxy to the
stand-in. Counted are calls from a function of one file to one of another, from the request's first hook to the last
one. The same file is the addon that counts.
"""

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = ("addons", "accounts", "config")
SAID: Final = "hops: "


class Hops:
    """Counts while a model request is under way; loaded before the product's own addons, it sees the first hook."""

    def __init__(self) -> None:
        self.hops: Counter[tuple[str, str]] = Counter()
        self.files: set[str] = set()

    def requestheaders(self, flow: Any) -> None:
        if flow.request.path.endswith("/codex/responses"):
            sys.setprofile(self._called)

    def response(self, flow: Any) -> None:
        if flow.websocket is None and flow.response.status_code == 200:
            self._told("HTTP")

    def websocket_end(self, flow: Any) -> None:
        self._told("WebSocket")

    def _called(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call":
            return
        callee, caller = self._file(frame), frame.f_back
        if not callee:
            return
        self.files.add(callee)
        while caller is not None and not self._file(caller):
            caller = caller.f_back
        if caller is not None and (before := self._file(caller)) != callee:
            self.hops[before, callee] += 1

    @staticmethod
    def _file(frame: FrameType) -> str:
        name = frame.f_code.co_filename
        if not name.startswith(str(ROOT)):
            return ""
        inside = name.removeprefix(f"{ROOT}/")
        return inside if inside.split("/")[0] in PACKAGES else ""

    def _told(self, transport: str) -> None:
        sys.setprofile(None)
        import logging

        told = {"transport": transport, "files": len(self.files), "hops": sum(self.hops.values())}
        told["most"] = [[*pair, count] for pair, count in self.hops.most_common(8)]
        logging.getLogger(__name__).warning("%s%s", SAID, json.dumps(told))
        self.hops.clear()
        self.files.clear()


addons = [Hops()]


def main() -> int:
    """Both transports, each in a proxy of its own."""
    from standin import ANY_ACCOUNT, Fault, FaultKind, Pace, StandIn
    from tests.harness import Proxy, fill
    from tests.proxy.clients import Socket, http1, turn1

    for transport in ("HTTP", "WebSocket"):
        with tempfile.TemporaryDirectory() as folder, StandIn() as upstream:
            own = upstream.add_account("own")
            accounts = [upstream.add_account(name) for name in ("spent", "good")]
            home = Path(folder) / "rotate"
            fill(home, accounts, Path(folder))
            upstream.pace(ANY_ACCOUNT, Pace(late_end=0))
            upstream.fault(accounts[0].account_id, Fault(FaultKind.USAGE_LIMIT), 1)
            headers = {
                "authorization": f"Bearer {own.access_token}",
                "chatgpt-account-id": own.account_id,
                "content-type": "application/json",
                "thread-id": "t",
            }
            with Proxy(upstream, home, Path(folder) / "ca", scripts=[Path(__file__)]) as proxy:
                if transport == "HTTP":
                    with http1(proxy) as client:
                        assert turn1(client, headers).completed
                else:
                    with Socket(proxy, headers) as client:
                        client.turn()
                told = json.loads(proxy.output.wait_for(SAID + r"(\{.*\})")[1])
        sys.stdout.write(f"{told['transport']}: {told['files']} files, {told['hops']} calls from one to another\n")
        sys.stdout.writelines(f"  {count:4}  {before} -> {after}\n" for before, after, count in told["most"])
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Ten turns as the official client takes them, through the real proxy, into one capture.

tests/proxy/test_ten_turns.py says what has to be in the capture, scripts/pictures.py takes pictures of it.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import zstandard

from accounts.store.store import Store
from standin import ANY_ACCOUNT, Account, Fault, FaultKind, Pace, StandIn, Window
from standin.generation import Generation
from standin.responses import Answer, Ask
from tests.harness import Proxy, options, put
from tests.proxy.clients import Got, Headers, Http2, Socket

KEPT: Final = 64 * 1024
"""`rotate_capture_limit` of the proxy: less than the long answer has."""
LABELS: Final = ("work", "home", "spare")
MODEL: Final = "gpt-5.5-codex"
LOGINS: Final = "0199a3f2-7c1e-7a40-9d3b-5f0c2e8b1a44"
NOTES: Final = "0199a3f8-02d5-7b91-8e6c-0c4d9a7f3e21"
SOCKET: Final = "0199a401-5be0-7c33-a1f4-77d2e0b95c18"
REVIEW: Final = "0199a406-1d88-7f10-8c2b-90be5512aa7d"
CHANGES: Final = "0199a40a-9f42-7d06-b7c5-3a81f6d20e99"
LAST: Final = "0199a413-c6a7-7e58-9a02-e15b48c7d360"

type Item = dict[str, Any]


class Thinker(Generation):
    """The stand-in's model. Here it thinks aloud where it has a `thought`, and calls a tool instead of speaking where
    it has a `call`."""

    thought: str = ""
    call: Item | None = None

    def _compose(self, ask: Ask, account: Account, pace: Pace, *, rate_limits: bool = False) -> Answer:
        answer = super()._compose(ask, account, pace, rate_limits=rate_limits)
        if ask.warm_up:
            return answer
        events: list[Item] = []
        for event in answer.events:
            inner = event.get("item", {}).get("type") or event["type"].split(".")[1]
            if inner == "reasoning":
                events += self._aloud(event)
            elif self.call is None or event["type"] == "codex.rate_limits" or "response" in event:
                events.append(event)
            elif inner == "message":
                events += self._called(event)
        events[-1]["response"]["output"] = [
            event["item"] for event in events if event["type"] == "response.output_item.done"
        ]
        numbered = tuple(event | {"sequence_number": number} for number, event in enumerate(events))
        deltas = (at for at, event in enumerate(numbered, start=1) if event["type"] == "response.output_text.delta")
        return Answer(response_id=answer.response_id, events=numbered, first_output=next(deltas, len(numbered) - 1))

    def _aloud(self, event: Item) -> Iterator[Item]:
        part = {"type": "summary_text", "text": self.thought}
        if not self.thought:
            yield event
        elif event["type"] == "response.output_item.added":
            place = {"item_id": event["item"]["id"], "output_index": event["output_index"], "summary_index": 0}
            yield event
            yield {"type": "response.reasoning_summary_part.added", **place, "part": part | {"text": ""}}
            for word in self.thought.split(" "):
                yield {"type": "response.reasoning_summary_text.delta", **place, "delta": f"{word} "}
            yield {"type": "response.reasoning_summary_text.done", **place, "text": self.thought}
            yield {"type": "response.reasoning_summary_part.done", **place, "part": part}
        else:
            yield event | {"item": event["item"] | {"summary": [part]}}

    def _called(self, event: Item) -> Iterator[Item]:
        assert self.call is not None
        item = {"type": "function_call", "id": event["item"]["id"].replace("msg", "fc"), **self.call}
        place = {"item_id": item["id"], "output_index": event["output_index"]}
        if event["type"] == "response.output_item.added":
            yield event | {"item": item | {"arguments": "", "status": "in_progress"}}
            yield {"type": "response.function_call_arguments.delta", **place, "delta": item["arguments"]}
            yield {"type": "response.function_call_arguments.done", **place, "arguments": item["arguments"]}
        else:
            yield event | {"item": item | {"status": "completed"}}


@dataclass
class Scene:
    """The proxy with its pool and what is before and behind it. `history` is what the client has of each thread."""

    upstream: StandIn
    model: Thinker
    proxy: Proxy
    store: Store
    own: Account
    accounts: dict[str, Account]
    keys: dict[str, str]
    history: dict[str, list[Item]] = field(default_factory=dict)

    def fault(self, label: str, kind: FaultKind, **details: Any) -> None:
        """The next request of this account fails."""
        self.upstream.fault(label, Fault(kind, **details), times=1)

    def rested(self) -> None:
        """What the accounts have suffered so far is over."""
        for key in self.keys.values():
            self.store.clear_cooldown(key).result()

    def will_say(self, text: str, *, thought: str = "", call: Item | None = None) -> None:
        """What the model does next, whoever is asked."""
        for label in LABELS:
            self.upstream.answer_with(label, text)
        self.model.thought, self.model.call = thought, call

    def headers(self, thread: str) -> Headers:
        """As the client sends them, docs/codex-wire.md section 2.1."""
        return {
            "authorization": f"Bearer {self.own.access_token}",
            "chatgpt-account-id": self.own.account_id,
            "originator": "codex_exec",
            "user-agent": "codex_exec/0.169.0 (Debian 12; x86_64) dumb",
            "version": "0.169.0",
            "session-id": thread,
            "thread-id": thread,
            "x-client-request-id": thread,
            "x-codex-window-id": f"{thread}:0",
            "x-codex-routing-hint": f"model={MODEL}",
        }

    def asked(self, thread: str, *items: Item) -> Item:
        """The body of a request that adds these items to a thread, docs/codex-wire.md section 9."""
        history = self.history.setdefault(thread, [said("developer", RULES), said("user", WHERE)])
        history += items
        return {
            "model": MODEL,
            "instructions": INSTRUCTIONS,
            "input": list(history),
            "tools": TOOLS,
            "tool_choice": "auto",
            "parallel_tool_calls": True,
            "reasoning": {"effort": "medium", "summary": "auto"},
            "store": False,
            "stream": True,
            "include": ["reasoning.encrypted_content"],
            "prompt_cache_key": thread,
            "text": {"verbosity": "low"},
        }

    def answered(self, thread: str, got: Got) -> Got:
        """Keep what came for the next request of the thread."""
        done = next((event["response"] for event in got.events if event["type"] == "response.completed"), None)
        self.history[thread] += done["output"] if done else []
        return got

    def over_http(self, thread: str, *items: Item) -> Got:
        """One request over HTTP/2, packed as the client packs it."""
        body = zstandard.compress(json.dumps(self.asked(thread, *items)).encode())
        more = {"accept": "text/event-stream", "content-type": "application/json", "content-encoding": "zstd"}
        with Http2(self.proxy) as client:
            return self.answered(thread, client.turn({**self.headers(thread), **more}, body))


def said(role: str, text: str) -> Item:
    """A message as the client sends it."""
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def output(call_id: str, text: str) -> Item:
    """What a tool put out, as the client sends it."""
    return {"type": "function_call_output", "call_id": call_id, "output": text}


# --- the turns -------------------------------------------------------------------------------------------------------


def with_a_tool(scene: Scene) -> None:
    """The model thinks, and calls a tool."""
    scene.will_say(
        "",
        thought="**Finding the login code**\n\nThe user reports that a login fails after midnight. I look for where "
        "the expiry of a session is computed before I change anything.",
        call={
            "call_id": "call_1",
            "name": "exec_command",
            "arguments": json.dumps({"cmd": "rg -n 'expires_at' src/ && sed -n 1,40p src/session.py"}),
        },
    )
    got = scene.over_http(LOGINS, said("user", "Logins fail after midnight. Find out why and fix it."))
    assert got.completed


def with_a_long_answer(scene: Scene) -> None:
    """More than the proxy keeps of one answer."""
    steps = "\n".join(f"{number}. {FINDING}" for number in range(1, 31))
    scene.will_say(f"The expiry is compared in local time. What I found:\n\n{steps}", thought="**Reading the output**")
    got = scene.over_http(LOGINS, output("call_1", SOURCE))
    assert got.completed
    assert len(got.body) > KEPT


def renewed(scene: Scene) -> None:
    """The token has expired: the account itself answers, with another one."""
    scene.accounts["work"].expire()
    scene.will_say("Yes: `session.expires_at` is stored in UTC now, and a test covers the change of day.")
    assert scene.over_http(LOGINS, said("user", "Is there a test for it?")).completed


def upstream_failed(scene: Scene) -> None:
    """A 5xx of one account, another one answers."""
    scene.fault("work", FaultKind.SERVER_ERROR)
    scene.will_say("Three things, by the commits: a faster start, two fixes, and pages for new users.")
    assert scene.over_http(NOTES, said("user", "What has happened here this week?")).completed
    scene.rested()


def broken_off(scene: Scene) -> None:
    """The stream ends after its first words."""
    scene.fault(ANY_ACCOUNT, FaultKind.TRUNCATED, after_output=True)
    scene.will_say("I would start with the two modules that nobody has touched since spring.")
    assert not scene.over_http(NOTES, said("user", "What should we clean up next?")).completed
    scene.rested()


def on_a_socket(scene: Scene) -> None:
    """A warm-up, a turn with a tool, and what the tool put out."""
    ask = scene.asked(SOCKET, said("user", "How many tests are there?"))
    with Socket(scene.proxy, scene.headers(SOCKET)) as client:
        assert client.turn(**ask | {"generate": False, "input": []}).completed
        command = {"call_id": "call_2", "name": "exec_command", "arguments": '{"cmd": "pytest --collect-only -q"}'}
        scene.will_say("", thought="**Counting tests**", call=command)
        first = scene.answered(SOCKET, client.turn(**ask))
        assert first.completed
        scene.will_say("There are 2,214 tests.")
        found = output("call_2", "tests/test_a.py::test_one\n…\n2214 tests collected in 1.94s\n")
        again = scene.asked(SOCKET, found) | {"previous_response_id": first.events[-1]["response"]["id"]}
        assert scene.answered(SOCKET, client.turn(**again | {"input": [found]})).completed


def beneath_a_socket(scene: Scene) -> None:
    """An open socket whose account comes to its limit: another one's takes its place, and the client's stays."""
    scene.fault("work", FaultKind.USAGE_LIMIT, resets_in=7200, in_band=True)
    scene.will_say("One finding: `cache.load` leaves its file open when the header is wrong.")
    ask = scene.asked(REVIEW, said("user", "Review the last commit."))
    with Socket(scene.proxy, scene.headers(REVIEW)) as client:
        assert scene.answered(REVIEW, client.turn(**ask)).completed


def at_its_limit(scene: Scene) -> None:
    """A 429 of one account, another one answers."""
    scene.fault("home", FaultKind.USAGE_LIMIT, resets_in=9000)
    scene.will_say(
        "## 2.1\n\n- **Faster start**: the cache is read in one go.\n- Logins survive midnight.\n\n"
        "Nothing has to be changed to update.",
        thought="**Reading the commits**\n\nTwo changes can be seen by users, the others are tests and clean-up.",
    )
    assert scene.over_http(CHANGES, said("user", "Write the release notes of 2.1 from its commits.")).completed


def sealed_elsewhere(scene: Scene) -> None:
    """A thread whose account is at its limit moves, and the next one cannot read what that has sealed."""
    scene.will_say("Done: `make check` runs both, and CI calls it.", thought="**Looking at the Makefile**")
    assert scene.over_http(LOGINS, said("user", "Add the linter to `make check` too.")).completed


def nobody_left(scene: Scene) -> None:
    """Every account is at its limit."""
    scene.fault("spare", FaultKind.USAGE_LIMIT, resets_in=10800)
    assert scene.over_http(LAST, said("user", "Summarise the open issues.")).status == 429


TURNS: Final[tuple[Callable[[Scene], None], ...]] = (
    *(with_a_tool, with_a_long_answer, renewed, upstream_failed, broken_off),
    *(on_a_socket, beneath_a_socket, at_its_limit, sealed_elsewhere, nobody_left),
)


def take(folder: Path, confdir: Path) -> tuple[Path, list[Account]]:
    """Take the ten turns; the capture, and every account whose tokens must not be in it."""
    file = folder / "ten turns.flow"
    home = folder / "rotate"
    home.mkdir(mode=0o700)
    with StandIn() as upstream, Store(home / "pool.db") as store:
        model = Thinker(upstream._state)
        upstream._router._generation = model
        upstream.seal_reasoning = True
        accounts = {label: upstream.add_account(label) for label in LABELS}
        for account, used in zip(accounts.values(), (71.0, 12.0, 3.0), strict=True):
            account.limits(
                primary=Window(used_percent=used, minutes=300, resets_in=7500),
                secondary=Window(used_percent=used / 2, minutes=10080, resets_in=260_000),
            )
        keys = {label: put(store, each, folder, order) for order, (label, each) in enumerate(accounts.items())}
        own = upstream.add_account("own")
        flags = [*options(rotate_head_timeout=5, rotate_capture_limit=KEPT), "-w", str(file)]
        with Proxy(upstream, home, confdir, flags, env={"CODEX_ROTATE_MID_ANSWER": "client"}) as proxy:
            proxy.output.wait_for("accounts from", seconds=20)
            scene = Scene(upstream, model, proxy, store, own, accounts, keys)
            for turn in TURNS:
                turn(scene)
            proxy.stop()
        return file, [*accounts.values(), own]


# --- what is said ----------------------------------------------------------------------------------------------------

INSTRUCTIONS: Final = (
    "You are a coding agent running in a terminal. You are precise, safe and helpful.\n\n"
    "# How you work\n\nKeep going until the task is done. Read before you write. Run the tests that exist.\n"
)
RULES: Final = "Commands run in a sandbox that may write to the workspace. Ask before you use the network."
WHERE: Final = "<environment_context>\n  <cwd>/srv/app</cwd>\n  <shell>bash</shell>\n</environment_context>"
SOURCE: Final = (
    "src/session.py:12:    expires_at: datetime\nsrc/session.py:31:    return now.date() < self.expires_at.date()\n"
)
FINDING: Final = (
    "`Session.alive` compares dates instead of moments, so a session that was opened in the evening is over at "
    "midnight, whatever its length. It is called by `login`, by `refresh` and by the middleware."
)
TOOLS: Final = [
    {"type": "function", "name": "exec_command", "description": "Runs a command.", "parameters": {"type": "object"}},
    {"type": "function", "name": "apply_patch", "description": "Changes files.", "parameters": {"type": "object"}},
    {"type": "web_search"},
]

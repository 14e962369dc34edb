"""The model endpoint: one answer over HTTP, many over a WebSocket (docs/codex-wire.md sections 1.2 and 2)."""

import secrets
from dataclasses import replace

from standin.accounts import Account
from standin.catalogue import etag_of
from standin.exchange import Exchange
from standin.faults import Fault, Phase, Point
from standin.pace import Pace
from standin.records import Headers, Record
from standin.replies import Reply, error_reply
from standin.responses import Answer, Ask, compose, parse, rate_limits_event, shell
from standin.state import State
from standin.wire.sinks import HttpSink, Sink, SocketSink, Stage

PATH = "/backend-api/codex/responses"

_EVENT_STREAM = "text/event-stream; charset=utf-8"
_NOT_JSON = error_reply(400, "invalid_json", "The request body is not a JSON object.")
_NO_PREVIOUS = error_reply(
    400, "previous_response_not_found", "Previous response not found.", param="previous_response_id"
)
_FOREIGN_SEAL = (
    "The encrypted content {} could not be verified. "
    "Reason: Encrypted content organization_id did not match the target organization."
)
_UNKNOWN_SEAL = "The encrypted content {} could not be decrypted or parsed."


class Generation:
    """Answers for one stand-in."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def over_http(self, exchange: Exchange, record: Record, account: Account) -> None:
        """One request, one event stream."""
        pace = self._state.pace_of(account)
        sink = HttpSink(replace(self._stage(record, account), late_end=pace.late_end), exchange)
        ask = parse(record.body)
        fault = self._state.take_fault(account, PATH, Phase.REQUEST, warm_up=bool(ask and ask.warm_up))
        if fault is not None and fault.point is Point.HEAD:
            if not await sink.act(fault):
                return
            fault = None
        refusal = self._refusal(ask, account, known=frozenset())
        if refusal is not None or ask is None:
            await sink.refuse(refusal or _NOT_JSON)
            return
        named = fault.stream_type if fault is not None else None
        kind = () if named == "" else (("content-type", named or _EVENT_STREAM),)
        await self._state.tempo.pause(pace.first_byte)
        coding = fault.stream_coding if fault is not None else None
        await sink.begin(200, (*kind, *self._headers(account, record)), coding)
        await self._play(self._compose(ask, account, pace), sink, fault, pace)

    async def over_websocket(self, exchange: Exchange, record: Record, account: Account) -> None:
        """An upgrade, then one answer per message until either side leaves."""
        stage = self._stage(record, account)
        fault = self._state.take_fault(account, PATH, Phase.UPGRADE)
        if fault is not None and not await HttpSink(stage, exchange).act(fault):
            return
        socket = await exchange.accept(self._headers(account, record))
        self._state.update(record, status=101, busy=False)
        fault = self._state.take_fault(account, PATH, Phase.ACCEPTED)
        if fault is not None and not await SocketSink(stage, exchange, socket).act(fault):
            return
        known: set[str] = set()
        while isinstance(text := await socket.receive(), str):
            await self._answer(text, SocketSink(self._stage(record, account), exchange, socket), account, known)
            if record.closed:
                return
        self._state.update(record, close_code=text, closed=True)
        await socket.close(text if text is not None else 1003)

    async def _answer(self, text: str, sink: Sink, account: Account, known: set[str]) -> None:
        ask = parse(text)
        self._state.add_message(sink.stage.record, ask.body if ask else {"unreadable": text})
        if ask is None or ask.body.get("type") != "response.create":
            await sink.refuse(_NOT_JSON)
            return
        self._state.update(sink.stage.record, busy=True)
        fault = self._state.take_fault(account, PATH, Phase.MESSAGE, warm_up=ask.warm_up, size=ask.size)
        refusal = self._refusal(ask, account, known)
        if refusal is not None and (fault is None or fault.point is not Point.HEAD):
            await sink.refuse(refusal)
        else:
            pace = Pace() if ask.warm_up else self._state.pace_of(account)
            answer = self._compose(ask, account, pace, rate_limits=True)
            known.add(answer.response_id)
            await self._state.tempo.pause(pace.first_byte)
            await self._play(answer, sink, fault, pace)
        self._state.update(sink.stage.record, busy=False)

    def _stage(self, record: Record, account: Account) -> Stage:
        return Stage(state=self._state, record=record, ticket=self._state.ticket(), plan=account.identity.plan)

    def _refusal(self, ask: Ask | None, account: Account, known: frozenset[str] | set[str]) -> Reply | None:
        if ask is None:
            return _NOT_JSON
        previous = ask.body.get("previous_response_id")
        if previous is not None and previous not in known:
            return _NO_PREVIOUS
        with self._state.changed:
            if not self._state.seal_reasoning:
                return None
            for blob in ask.sealed:
                if (owner := self._state.sealed.get(blob)) != account.account_id:
                    text = (_FOREIGN_SEAL if owner else _UNKNOWN_SEAL).format(f"{blob[:4]}...")
                    return error_reply(400, "invalid_encrypted_content", text)
        return None

    def _compose(self, ask: Ask, account: Account, pace: Pace, *, rate_limits: bool = False) -> Answer:
        now = self._state.clock()
        with self._state.changed:
            wanted = ask.compaction or (self._state.seal_reasoning and not ask.warm_up)
            seals = [self._state.seal(account)] if wanted else []
            answer = compose(ask, pace.said(account.answer), seals, now)
            primary, secondary = account.primary, account.secondary
        if not rate_limits:
            return answer
        event = rate_limits_event(
            account.identity.plan,
            primary.as_event(now) if primary else None,
            secondary.as_event(now) if secondary else None,
        )
        return Answer(
            response_id=answer.response_id,
            events=(event, *answer.events),
            first_output=answer.first_output + 1,
        )

    async def _play(self, answer: Answer, sink: Sink, fault: Fault | None, pace: Pace) -> None:
        strike_at = _place(answer, fault.point) if fault else None
        for index, event in enumerate(answer.events):
            if fault is not None and index == strike_at:
                for part in shell(fault.shell) if fault.point is Point.SHELL else ():
                    await sink.event(part)
                if not await sink.act(fault):
                    return
            if index >= answer.first_output and event["type"].endswith(".delta"):
                await self._state.tempo.pause(pace.between_words)
            await sink.event(event)
        if fault is not None and fault.point is Point.LAST and not await sink.act(fault):
            return
        await sink.finish()

    def _headers(self, account: Account, record: Record) -> Headers:
        """Response headers of an answer or a 101, docs/codex-wire.md section 2.3."""
        prefix = f"state-{account.account_id}-"
        echoed = record.request.header("x-codex-turn-state") or ""
        turn_state = echoed if echoed.startswith(prefix) else f"{prefix}{self._state.next_turn()}"
        with self._state.changed:
            limits = account.rate_limit_headers(self._state.clock())
            listed = self._state.catalogues.get(account.identity.key)
        return (
            *limits,
            *((("x-models-etag", etag_of(listed)),) if listed is not None else ()),
            ("x-codex-turn-state", turn_state),
            ("x-request-id", f"req_{secrets.token_hex(8)}"),
            *self._state.set_cookies(account),
        )


def _place(answer: Answer, point: Point) -> int:
    """Before which event of an answer a point is."""
    kinds = [event["type"] for event in answer.events]
    created = kinds.index("response.created") + 1
    added = "response.output_item.added"
    return {
        Point.CREATED: created,
        Point.SHELL: kinds.index(added) if added in kinds else created,
        Point.OUTPUT: answer.first_output,
        Point.LAST: len(answer.events),
    }.get(point, 0)

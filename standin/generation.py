"""The model endpoint: one answer over HTTP, many over a WebSocket (docs/codex-wire.md sections 1.2 and 2)."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from standin.accounts import Account
from standin.catalogue import etag_of
from standin.exchange import Exchange
from standin.faults import Fault, Phase, Point
from standin.faults.details import GOES_ON
from standin.model.attempts import Attempt, End
from standin.model.chains import START, Chain, Chains
from standin.model.items import Compaction, Item, Made, Message, Reasoning
from standin.model.script import step_of
from standin.pace import Pace
from standin.records import Headers, Record
from standin.replies import Reply, error_reply
from standin.responses import Answer, Ask, assemble, parse, rate_limits_event, shell
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
        ask = self._begin(parse(record.body), record, account)
        with self._ending(record):
            fault = self._fault(ask, account, Phase.REQUEST)
            if fault is not None and fault.point is Point.HEAD:
                if not await self._strike(fault, sink, 0):
                    return
                fault = None
            previous = ask.body.get("previous_response_id") if ask else None
            refusal = self._refusal(ask, account, START if previous is None else None)
            if refusal is not None or ask is None:
                await self._refuse(refusal or _NOT_JSON, sink)
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
        chains = Chains()
        while isinstance(text := await socket.receive(), str):
            await self._answer(text, SocketSink(self._stage(record, account), exchange, socket), account, chains)
            if record.closed:
                return
        self._state.update(record, close_code=text, closed=True)
        await socket.close(text if text is not None else 1003)

    async def _answer(self, text: str, sink: Sink, account: Account, chains: Chains) -> None:
        ask, record = parse(text), sink.stage.record
        self._state.add_message(record, ask.body if ask else {"unreadable": text})
        if ask is None or ask.body.get("type") != "response.create":
            await sink.refuse(_NOT_JSON)
            return
        self._state.update(record, busy=True)
        before = chains.find(ask.body.get("previous_response_id"))
        if before is not None:
            ask = replace(ask, history=before.then(ask.items))
        self._begin(ask, record, account)
        with self._ending(record):
            fault = self._fault(ask, account, Phase.MESSAGE)
            refusal = self._refusal(ask, account, before)
            if refusal is not None and (fault is None or fault.point is not Point.HEAD):
                await self._refuse(refusal, sink)
            else:
                pace = Pace() if ask.warm_up else self._state.pace_of(account)
                answer = self._compose(ask, account, pace, rate_limits=True)
                await self._state.tempo.pause(pace.first_byte)
                if await self._play(answer, sink, fault, pace):
                    chains.keep(answer.response_id, ask.history, answer.events[-1]["response"]["output"])
        self._state.update(record, busy=False)

    def _stage(self, record: Record, account: Account) -> Stage:
        return Stage(state=self._state, record=record, ticket=self._state.ticket(), plan=account.identity.plan)

    def _begin(self, ask: Ask | None, record: Record, account: Account) -> Ask | None:
        """Write the attempt down."""
        previous = ask.body.get("previous_response_id") if ask else None
        self._state.begin(
            record,
            Attempt(
                number=0,
                account_id=account.account_id,
                warm_up=bool(ask and ask.warm_up),
                previous=str(previous) if previous is not None else None,
                asked=ask.history if ask else START,
            ),
        )
        return ask

    @contextmanager
    def _ending(self, record: Record) -> Iterator[None]:
        """Whatever ends an attempt that has not come to an end of its own is the client."""
        try:
            yield
        finally:
            self._state.progress(record, end=End.LEFT)

    def _fault(self, ask: Ask | None, account: Account, phase: Phase) -> Fault | None:
        if ask is None:
            return self._state.take_fault(account, PATH, phase)
        step = None if ask.warm_up or ask.aside else step_of(ask.history.whole)
        return self._state.take_fault(account, PATH, phase, warm_up=ask.warm_up, size=ask.size, step=step)

    async def _refuse(self, reply: Reply, sink: Sink) -> None:
        self._state.progress(sink.stage.record, end=End.REFUSED, why=str(reply.error().get("code")))
        await sink.refuse(reply)

    async def _strike(self, fault: Fault, sink: Sink, delivered: int) -> bool:
        """Whether the answer goes on after a fault."""
        record = sink.stage.record
        self._state.progress(record, delivered=delivered, why=fault.kind)
        if fault.rule.action not in GOES_ON:
            self._state.progress(record, end=End.DIED)
        return await sink.act(fault)

    def _refusal(self, ask: Ask | None, account: Account, before: Chain | None) -> Reply | None:
        if ask is None:
            return _NOT_JSON
        if before is None:
            return _NO_PREVIOUS
        with self._state.changed:
            if self._state.seal_reasoning:
                for blob in ask.sealed:
                    if (owner := self._state.sealed.get(blob)) != account.account_id:
                        text = (_FOREIGN_SEAL if owner else _UNKNOWN_SEAL).format(f"{blob[:4]}...")
                        return error_reply(400, "invalid_encrypted_content", text)
            if found := self._state.says.objections(ask.history):
                return error_reply(400, "inconsistent_history", "; ".join(map(str, found)))
        return None

    def _compose(self, ask: Ask, account: Account, pace: Pace, *, rate_limits: bool = False) -> Answer:
        now = self._state.clock()
        with self._state.changed:
            answer = assemble(ask, self._items(ask, account, pace), now)
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

    def _items(self, ask: Ask, account: Account, pace: Pace) -> list[Made]:
        """What the model says: nothing to a warm-up, what was laid ready, or the account's own words."""
        if ask.warm_up:
            return []
        if ask.compaction:
            items: Sequence[Item] = [Compaction()]
        elif ask.aside or (laid := self._state.says.script.next(account.identity.key, ask.history)) is None:
            thought = [Reasoning()] if self._state.seal_reasoning else []
            items = [*thought, Message(pace.said(account.answer))]
        else:
            items = laid
        return [item.made(self._state.seal(account) if item.sealed else "") for item in items]

    async def _play(self, answer: Answer, sink: Sink, fault: Fault | None, pace: Pace) -> bool:
        """Whether it came to its end."""
        record, events = sink.stage.record, answer.events
        self._state.progress(record, response_id=answer.response_id, events=len(events))
        strike_at = _place(answer, fault) if fault else None
        waits = pace.waits(events, answer.first_output)
        for index, event in enumerate(events):
            if fault is not None and index == strike_at:
                for part in shell(fault.shell) if fault.point is Point.SHELL else ():
                    await sink.event(part)
                if not await self._strike(fault, sink, index):
                    return False
            if waits[index] > 0:
                self._state.progress(record, delivered=index)
                await self._state.tempo.pause(waits[index])
            if event["type"] == "response.output_item.done":
                self._state.wrote(event["item"])
            await sink.event(event)
            if event["type"] == "response.completed":
                self._state.progress(record, usage=event["response"]["usage"])
        if fault is not None and strike_at == len(events) and not await self._strike(fault, sink, len(events)):
            return False
        self._state.progress(record, delivered=len(events), end=End.WHOLE)
        await sink.finish()
        return True

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


def _place(answer: Answer, fault: Fault) -> int:
    """Before which event of an answer a fault strikes; their number for after all of them."""
    kinds = [event["type"] for event in answer.events]
    if isinstance(fault.before, int):
        return min(fault.before, len(kinds))
    if fault.before is not None:
        return kinds.index(fault.before) if fault.before in kinds else len(kinds)
    created = kinds.index("response.created") + 1
    added = "response.output_item.added"
    return {
        Point.CREATED: created,
        Point.SHELL: kinds.index(added) if added in kinds else created,
        Point.OUTPUT: answer.first_output,
        Point.LAST: len(answer.events),
    }.get(fault.point, 0)

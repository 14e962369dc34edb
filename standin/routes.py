"""Which request gets which answer, and the one place where a request is written down and seen to its end."""

import logging
from collections.abc import Callable

from standin import control, feeds
from standin.accounts import Account
from standin.backend import ENDPOINTS
from standin.catalogue import listing
from standin.exchange import Exchange
from standin.faults import CATALOGUE_PATH, GENERATION_PREFIX, Phase, Point
from standin.generation import PATH, Generation
from standin.oauth import LoginServer
from standin.records import Record
from standin.replies import EMPTY_OBJECT, FOREIGN_ACCOUNT, NOT_FOUND, UNKNOWN_TOKEN, Reply, error_reply
from standin.state import State
from standin.wire.sinks import HttpSink, Stage

log = logging.getLogger(__name__)

_BROKEN = error_reply(500, "stand_in_error", "The stand-in has a bug; see StandIn.errors.")


class Router:
    """The handler of every exchange."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._generation = Generation(state)
        self._logins = LoginServer(state)

    async def handle(self, exchange: Exchange) -> None:
        """Answer one exchange, whatever happens."""
        if not exchange.request.secure and exchange.request.route.startswith(control.PREFIX):
            await exchange.reply(control.answer(self._state, exchange.request))
            return
        record = self._state.record(exchange.request)
        left = False
        try:
            await self._route(exchange, record)
        except ConnectionError:
            left = True
        except Exception as error:
            log.exception("the stand-in failed")
            self._state.errors.append(error)
            if not exchange.started:
                await exchange.reply(_BROKEN)
        except BaseException:
            left = True  # cancelled: the connection is gone
            raise
        finally:
            self._state.update(record, disconnected=left and record.busy, closed=True)

    async def _route(self, exchange: Exchange, record: Record) -> None:
        request = record.request
        login = self._logins.routes.get((request.method, request.route))
        if login is not None:
            await self._plain(exchange, record, self._logins.owner(record), lambda: login(record))
        elif request.route.startswith("/backend-api/"):
            await self._to_backend(exchange, record)
        else:
            await self._plain(exchange, record, None, lambda: NOT_FOUND)

    async def _to_backend(self, exchange: Exchange, record: Record) -> None:
        request, account = record.request, self._state.bearer(record.request)
        with self._state.changed:
            refusal = self._state.ledger.refusal(request.header("authorization"), self._state.clock())
        if account is None or refusal is not None:
            await self._refuse(exchange, record, refusal or UNKNOWN_TOKEN)
        elif (request.header("chatgpt-account-id") or account.account_id) != account.account_id:
            await self._refuse(exchange, record, FOREIGN_ACCOUNT)
        elif request.route == PATH and request.method == "POST":
            await self._generation.over_http(exchange, record, account)
        elif request.route == PATH and request.wants_websocket:
            await self._generation.over_websocket(exchange, record, account)
        elif request.route == feeds.PATH and request.method == "POST" and self._state.feeding:
            await feeds.serve(self._state, exchange, record)
        else:
            await self._plain(exchange, record, account, lambda: self._backend(record, account))

    def _backend(self, record: Record, account: Account) -> Reply:
        listed = self._state.catalogues.get(account.identity.key)
        if listed is not None and record.request.route == CATALOGUE_PATH:
            return listing(listed)
        endpoint = ENDPOINTS.get((record.request.method, record.request.route))
        if endpoint is not None:
            with self._state.changed:
                return endpoint(account, self._state.clock())
        return EMPTY_OBJECT if record.request.route.startswith(GENERATION_PREFIX) else NOT_FOUND

    async def _refuse(self, exchange: Exchange, record: Record, reply: Reply) -> None:
        stage = Stage(state=self._state, record=record, ticket=self._state.ticket())
        await HttpSink(stage, exchange).refuse(reply)

    async def _plain(
        self, exchange: Exchange, record: Record, account: Account | None, produce: Callable[[], Reply]
    ) -> None:
        """An answer in one piece, unless a fault strikes: before the request has had its effect, or half-way."""
        plan = account.identity.plan if account else ""
        sink = HttpSink(Stage(state=self._state, record=record, ticket=self._state.ticket(), plan=plan), exchange)
        fault = self._state.take_fault(account, record.request.route, Phase.REQUEST)
        if fault is not None and fault.point is Point.HEAD:
            if not await sink.act(fault):
                return
            fault = None
        reply = produce()
        if fault is None:
            await sink.refuse(reply)
            return
        await sink.begin(reply.status, reply.headers, fault.stream_coding)
        half = 0 if fault.point is Point.START else len(reply.body) // 2
        await sink.data(reply.body[:half])
        if await sink.act(fault):
            await sink.data(reply.body[half:])
            await sink.finish()

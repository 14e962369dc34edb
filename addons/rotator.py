"""The addon's hooks. Each translates and hands on; what to do is decided in `accounts/`, how in `attempts/`."""

import functools
from collections.abc import Callable
from typing import Any, Final

from mitmproxy import connection, ctx, http
from mitmproxy.addonmanager import Loader
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.websocket import WebSocketMessage

from accounts.choice.selection import Ask
from accounts.requests.identity import model_of, parent_of, thread_of
from addons.attempts import connections, replay, stream
from addons.attempts.protocol import Answer, Say, SocketExchange
from addons.clients import Clients
from addons.exchange import passthrough, replays
from addons.exchange.answering import local_answers, pool_quota, refusals, routing_discovery, virtual_answers
from addons.exchange.passthrough import Passthrough
from addons.exchange.pooled import PooledRequest
from addons.exchange.sockets import pooled_socket
from addons.recording import annotations, capture, turn_log
from addons.recording.ended_turn import EndedTurn
from addons.redaction import flows, websocket_messages
from addons.startup import Startup
from addons.wire import answers, messages
from addons.wire.routes import Route, Target, route_of

AT_ONCE_SECONDS: Final = 0.005
"""A request whose end comes so soon after its head, mostly in one piece with it, is judged with that."""


def target_of(flow: http.HTTPFlow) -> Target:
    """What the route is chosen by. The address is the connection's, not the request's own claim."""
    request = flow.request
    headers = request.headers
    return Target(
        scheme=request.scheme,
        connected=(request.host, request.port),
        claimed=request.host_header or "",
        sni=flow.client_conn.sni,
        method=request.data.method.decode("utf-8", "replace"),  # as it goes on the wire: mitmproxy shows capitals
        path=request.path,
        tls=flow.client_conn.tls_established,
        authorization=headers.get("authorization", ""),
        upgrade=messages.is_upgrade(request),
    )


def ask_of(request: http.Request, route: Route, pin: str, *, guest: bool = False, client: str = "") -> Ask:
    """What a request wants of the pool; `pin` is the key of the only account that may serve it ("": any), `guest`
    whether somebody else than the owner asks, `client` the name of the key that was shown."""
    return Ask(
        thread=thread_of(request.headers.get),
        model=model_of(request.headers.get),
        steady=route is Route.CATALOGUE,  # its etag makes the client fetch anew whenever it changes
        pin=pin,
        guest=guest,
        parent=parent_of(request.headers.get),
        client=client,
    )


type Lead = Callable[[Any, Any], object]
"""Has the layer of a replayed request, with its client's connection, take the way to the internet."""


class Rotator:
    """Puts every intercepted request in the hands of an exchange."""

    def __init__(self, startup: Startup, clients: Clients, turns: turn_log.TurnLog, lead_replay: Lead) -> None:
        self.startup = startup
        self.clients = clients
        self.turns = turns
        self.exchanges: dict[str, Passthrough | PooledRequest] = {}
        self.refused_logins = routing_discovery.RefusedLogins()
        self.replays = replay.Replays(self.find, startup.settled.wait, lead_replay)

    def load(self, _: Loader) -> None:
        self.replays.take_over()

    def done(self) -> None:
        self.replays.give_back()

    def next_layer(self, nextlayer: NextLayer) -> None:
        ctx.master.addons.get("nextlayer").next_layer(nextlayer)
        stream.install(nextlayer.layer, self.find)
        connections.lift_connection_limit(ctx.master.addons.get("proxyserver"), nextlayer.context.client)

    def server_connected(self, data: ServerConnectionHookData) -> None:
        connections.notice_death(ctx.master.addons.get("proxyserver"), data.client, data.server)

    def find(self, flow: http.HTTPFlow) -> Passthrough | PooledRequest | None:
        """The exchange of a flow; none means that a hook failed, and the request is refused."""
        return self.exchanges.get(flow.id)

    @answers.fail_closed
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if flow.error or not flow.live:
            return
        again = flow.is_replay == "request"
        target, shown = replays.target_of(flow) if again else target_of(flow), self.startup.shown()
        route = route_of(target)
        if again:
            replays.mask_earlier(flow, self.startup.shown())
            replays.tidy(flow.request, pooled=route.pooled)
        shown.request_head(flow.request)
        self.exchanges[flow.id] = passthrough.FailClosed(flow, shown)  # until something better is known
        if flow.response:
            self._answered(flow, shown)
        elif again and (why := self._why_not(flow, target, route)):
            flow.response = answers.not_replayed(why)
        else:
            self._route(flow, route, shown)

    @answers.fail_closed
    def request(self, flow: http.HTTPFlow) -> None:
        """Complete, and about to be sent: its body may have taken longer than its client's key was good for."""
        answered = isinstance(self.exchanges.get(flow.id), passthrough.FailClosed | passthrough.LocalAnswer)
        if answered or flow.response or flow.is_replay or not flow.live:
            return
        if 0 <= (flow.request.timestamp_end or 0.0) - flow.request.timestamp_start < AT_ONCE_SECONDS:
            return  # the head was judged just now
        refusal = self.clients.refusal_now(flow.client_conn)
        if refusal is not None:
            inside = flow.client_conn.tls_established
            flow.response = refusals.inside(refusal, flow.request) if inside else refusals.refused(refusal)

    def _why_not(self, flow: http.HTTPFlow, target: Target, route: Route) -> str:
        """Why a request is not played again; "" for one that is."""
        ours, service = flow.id in self.replays.playing, self.startup.service
        pool = bool(service and service.pool.candidates)
        return replays.why_not(target, pooled=route.pooled, played_by_us=ours, pool_is_open=pool)

    def _answered(self, flow: http.HTTPFlow, shown: flows.FlowRedactor) -> None:
        """Words for a client that may not use the proxy. Those to an upgrade are read inside the socket only."""
        refusal = self.clients.refusal(flow.client_conn)
        if refusal is None or flow.response is None:
            return
        answer = Answer(flow.response)
        if messages.is_upgrade(flow.request) and flow.response.status_code == 400:
            sse = self.startup.chosen.rotate_transport == "sse"
            answer = Answer(answers.upgrade_refused()) if sse else local_answers.saying(flow.response, flow.request)
        flow.response = None
        self.exchanges[flow.id] = passthrough.LocalAnswer(flow, shown, answer)

    def _route(self, flow: http.HTTPFlow, route: Route, shown: flows.FlowRedactor) -> None:
        if route is Route.OWN:
            self.exchanges[flow.id] = self._own(flow, shown)
        elif messages.is_upgrade(flow.request) and self.startup.chosen.rotate_transport == "sse":
            flow.response = answers.upgrade_refused()
        else:
            flow.request.stream = False  # kept, so that it can be sent again
            ask = self._ask(flow, route)
            pooled = self.exchanges[flow.id] = self.startup.pooled(flow, shown, ask)
            pooled.delivery.quota = self._quota(flow, ask)
            if route is not Route.CATALOGUE:
                pooled.log.noted = functools.partial(self.turns.request_over, flow)

    def _ask(self, flow: http.HTTPFlow, route: Route) -> Ask:
        """What is asked of the pool; for nobody in particular when a request is played again."""
        if flow.is_replay:
            return ask_of(flow.request, route, "")
        client = flow.client_conn
        pin, guest = self.clients.account_for(client), self.clients.is_guest(client)
        return ask_of(flow.request, route, pin, guest=guest, client=self.clients.name_of(client))

    def _quota(self, flow: http.HTTPFlow, ask: Ask) -> pool_quota.PoolQuota | None:
        return self.startup.quota_for(ask, virtual=self.clients.is_virtual(flow.client_conn))

    def _own(self, flow: http.HTTPFlow, shown: flows.FlowRedactor) -> Passthrough:
        """A request that is the client's own."""
        service, kept = self.startup.service, self.startup.chosen.rotate_capture_limit
        if self.clients.is_virtual(flow.client_conn):
            told = pool_quota.PoolQuota(self.startup.opened(), self._ask(flow, Route.OWN), self.startup.held)
            answer = Answer(virtual_answers.answer_to(shown.wire(flow.request), told))
            return passthrough.LocalAnswer(flow, shown, answer)
        cookies = service.given.cookies if service else None
        if service is None or not service.pool.candidates:
            return Passthrough(flow, shown, cookies, kept)
        if routing_discovery.is_discovery(flow.request):
            return routing_discovery.RoutingDiscovery(flow, shown, cookies, kept, self.refused_logins)
        if pool_quota.asks_for_usage(flow.request) and (quota := self._quota(flow, self._ask(flow, Route.OWN))):
            return pool_quota.PoolUsage(flow, shown, cookies, kept, quota)
        return Passthrough(flow, shown, cookies, kept)

    async def upstream_decision(self, deciding: Passthrough | PooledRequest | SocketExchange) -> None:
        try:
            await deciding.decide()
        except Exception as e:  # noqa: BLE001 - the border: whatever goes wrong, nothing leaves
            answers.log_defect("a request was refused", e)

    def response(self, flow: http.HTTPFlow) -> None:
        self._over(flow)
        if flow.websocket is None:
            self.exchanges.pop(flow.id, None)

    def error(self, flow: http.HTTPFlow) -> None:
        self._over(flow)
        served = self.exchanges.pop(flow.id, None)
        if served is not None and served.complete:
            flow.error = None  # nothing is wrong with it: whoever is told after us sees a finished turn

    def _over(self, flow: http.HTTPFlow) -> None:
        served = self.exchanges.get(flow.id)
        if served is not None:
            served.shown.over(flow.request, flow.response)


class SocketRotator:
    """Watches the messages of upgraded connections that the pool serves."""

    def __init__(self, rotator: Rotator) -> None:
        self.rotator = rotator
        self.sockets: dict[str, pooled_socket.PooledSocket] = {}
        self.clients: dict[str, connection.Client] = {}
        """Of each of these."""
        self.shown: dict[str, flows.FlowRedactor] = {}
        self.kept: dict[str, capture.Messages] = {}
        self.leaving = False
        """The proxy ends: a new turn belongs on a new connection."""

    def websocket_start(self, flow: http.HTTPFlow) -> None:
        served = self.rotator.exchanges.pop(flow.id, None)
        if served is not None:
            self.shown[flow.id] = served.shown
        if isinstance(served, PooledRequest) and served.socket is not None:
            served.socket.turns.noted = functools.partial(self._turn_over, flow)
            self.sockets[flow.id], self.clients[flow.id] = served.socket, flow.client_conn

    def _turn_over(self, flow: http.HTTPFlow, ended: EndedTurn) -> None:
        annotations.turn_over(flow, ended.decided)
        self.rotator.turns.turn_over(flow, ended)

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        self._judge(flow)
        if flow.id in self.shown:
            websocket_messages.show(flow, self.shown[flow.id])
        if flow.id not in self.kept:
            self.kept[flow.id] = capture.Messages(self.rotator.startup.chosen.rotate_capture_limit)
        self.kept[flow.id].trim(flow)

    def _judge(self, flow: http.HTTPFlow) -> None:
        """What the other side gets of a message; what is done instead is the socket's step, which its layer takes."""
        assert flow.websocket is not None
        socket = self.sockets.get(flow.id)
        message = flow.websocket.messages[-1]
        if socket is None or message.injected:
            return
        try:
            instead = (
                self._from_client(flow, socket, message) if message.from_client else self._from_server(socket, message)
            )
        except Exception as e:  # noqa: BLE001 - the border: whatever goes wrong, nothing leaves
            answers.log_defect("a message was refused", e)
            instead, socket.step = pooled_socket.HELD, Say(answers.in_band_defect())
        if isinstance(instead, pooled_socket.Held):
            if not message.from_client or isinstance(socket.step, Say | None):
                message.drop()
        elif instead is not message.content:
            message.content = instead

    def _from_server(self, socket: pooled_socket.PooledSocket, message: WebSocketMessage) -> bytes | pooled_socket.Held:
        instead = socket.from_server(message.content)
        return message.content if instead is None else instead

    def _from_client(
        self, flow: http.HTTPFlow, socket: pooled_socket.PooledSocket, message: WebSocketMessage
    ) -> bytes | pooled_socket.Held:
        """The client's key may have been taken back while its socket is open, or the proxy be about to end."""
        refusal = self.rotator.clients.refusal_now(flow.client_conn)
        if self.leaving and not socket.active:
            socket.step = Say(answers.RECONNECT)
        elif refusal is not None:
            socket.step = Say(answers.in_band(refusals.refused(refusal, 400)))
        else:
            return socket.from_client(message.content)
        return pooled_socket.HELD

    def websocket_end(self, flow: http.HTTPFlow) -> None:
        self.kept.pop(flow.id, None)
        self.shown.pop(flow.id, None)
        self.clients.pop(flow.id, None)
        socket = self.sockets.pop(flow.id, None)
        if socket is not None:
            assert flow.websocket is not None
            socket.closed(by_client=bool(flow.websocket.closed_by_client), code=flow.websocket.close_code)

"""The connection of an attempt: opened or shared, and the account's from then on."""

from typing import NamedTuple

from mitmproxy.connection import Server
from mitmproxy.proxy import commands, layer

from addons.attempts import unverified
from addons.attempts.attempt import UpstreamAttempt
from addons.attempts.connections import GetAccountConnection, LedStream, forget_closed
from addons.attempts.echoes import EchoFilter
from addons.attempts.protocol import Answer, Loss, Send
from addons.attempts.timers import Timers


class NoConnection(NamedTuple):
    """`message` is for people."""

    loss: Loss
    message: str


def connect(
    stream: LedStream, attempt: UpstreamAttempt, step: Send, timers: Timers, seconds: float
) -> layer.CommandGenerator[Server | NoConnection | Answer]:
    """Where the attempt's request can be sent; or why it cannot; or what the client is answered because it must not be.
    A new connection is given up after so many seconds, at most."""
    attempt.echoes = EchoFilter.of(step)
    forget_closed(stream.http_layer)
    wanted = GetAccountConnection.for_attempt(step, stream.flow.server_conn, stream.http_layer)
    attempt.on_kept_connection = wanted.is_there
    if not attempt.on_kept_connection:
        yield from wanted.hurried(seconds, timers)
    connection, error = yield wanted
    timers.forget(wanted)
    if not isinstance(connection, Server):
        loss = GetAccountConnection.loss(str(error), through=bool(stream.flow.server_conn.via))
        return NoConnection(loss, wanted.explained(str(error)))
    refusal = unverified.refusal(step, connection, stream.context.options)
    if refusal is not None:
        yield commands.CloseConnection(connection)
        return refusal
    wanted.took(connection, step.request)
    stream.context.server = stream.flow.server_conn = connection
    if attempt.wire_id != stream.stream_id:
        stream.http_layer.streams[attempt.wire_id] = stream
    return connection

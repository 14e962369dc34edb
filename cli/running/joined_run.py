"""`run` behind the proxy that this user has joined: nothing is started here but the client."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from accounts.errors import UsageError
from certs.environment import proxy_at
from cli.running import client_command, joined, processes, proxies
from cli.running.joined_answer import ask_joined
from cli.ui.result import Result
from config import paths
from config.errors import RotateError
from config.join_file import Invitation


class BoundElsewhere(UsageError):
    def __init__(self, file: Path, where: str, invitation: Invitation) -> None:
        super().__init__(
            f"{file} leads the client to {where} by itself, and the proxy that you have joined is {invitation.place}. "
            "Run `codex-rotate bind` to bind it there, or `codex-rotate unbind`."
        )


class JoinedGone(RotateError):
    def __init__(self, code: int, invitation: Invitation) -> None:
        self.exit_code = code or 1
        super().__init__(
            f"The proxy that you have joined, {invitation.place}, ended while the client was using it. Ask whoever "
            "runs it to start it again. The conversation is not lost: `codex-rotate run codex resume --last`."
        )


def run(
    argv: Sequence[str], invitation: Invitation, account: str = "", environ: Mapping[str, str] = os.environ
) -> Result:
    """The client, from its start to its end. `account` is as the owner of the pool calls it; the proxy looks it up.

    Raises what `joined.presence` raises, BoundElsewhere, ClientUnusable, JoinedGone.
    """
    bound = client_command.led_by_dotenv(paths.codex_dotenv_file(environ))
    if bound.url is not None:
        led = proxy_at(bound.url)
        if (led.host, led.port) != (invitation.host, invitation.port):
            raise BoundElsewhere(bound.file, f"{led.host} port {led.port}", invitation)
        if account:
            raise client_command.PinnedThroughDotenv(bound.file)
    presence = joined.presence(invitation, environ)
    with proxies.Hold(presence, lambda: ask_joined(invitation)) as hold:
        led_by = client_command.environment(joined.address(invitation, account), presence, environ)
        try:
            code = processes.child(argv, led_by)
        except OSError as e:
            raise client_command.ClientUnusable(argv[0], e.strerror or str(e)) from e
        if hold.lost():
            raise JoinedGone(code, invitation)
    return Result("", data=None, exit_code=code)

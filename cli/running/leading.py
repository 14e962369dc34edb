"""Where clients are led: the one answer of `env`, `bind` and `keys add`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from certs.environment import DEFAULT_PROXY, Proxy, proxy_at
from cli.running import joined, proxies
from cli.running.joined_answer import ask_joined
from config import paths
from config.errors import RotateError
from config.network.hosts import is_loopback
from config.proxy_files import ProxyInfo

START: Final = "`codex-rotate serve`"


class OthersProxy(RotateError):
    def __init__(self, proxy: Proxy, *, known: bool) -> None:
        whose = "works with another pool, whose certificate is not here" if known else "does not serve you"
        super().__init__(
            f"The codex-rotate at {proxy.host} port {proxy.port} {whose}. Ask whoever runs it for a key file "
            "(`codex-rotate keys add NAME --host HOST`) and run `codex-rotate join FILE` with it. Is it your own? Run "
            "`codex-rotate doctor`."
        )


class StrangersPort(RotateError):
    def __init__(self, proxy: Proxy) -> None:
        super().__init__(
            f"What listens at {proxy.host} port {proxy.port} does not prove to be your codex-rotate, so it is not told "
            "your key. End it, or run yours elsewhere (`codex-rotate serve --listen 127.0.0.1:PORT`), and try again."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Led:
    """An address, with the key that is needed there. `folder` has what its clients trust, `answers` whether somebody
    is there, `notes` what a person has to know."""

    url: str = field(repr=False)
    folder: Path
    answers: bool
    notes: tuple[str, ...] = ()

    @property
    def proxy(self) -> Proxy:
        return proxy_at(self.url)


def led(environ: Mapping[str, str] = os.environ, *, stays: bool = False, everything: bool = False) -> Led:
    """The proxy that was joined, else one of ours that runs, else where `serve` listens by itself. Raises
    JoinedUnusable, JoinedIsAnother.

    `stays`: not one that `run` has started, which ends with its clients. `everything`: the one of `--intercept-all`.
    """
    invitation = None if everything else joined.current(environ)
    if invitation is not None:
        answer = ask_joined(invitation)
        if answer.status and not answer.refused and answer.presence is None:  # nor is it told by clients
            raise joined.JoinedIsAnother(invitation)
        answers = answer.presence is not None
        note = f"the proxy that you have joined, {invitation.place}, does not answer: ask whoever runs it to start it."
        notes = () if answers else (note,)
        return Led(url=joined.address(invitation), folder=joined.folder(environ), answers=answers, notes=notes)
    return own(environ, stays=stays, everything=everything)


def own(environ: Mapping[str, str] = os.environ, *, stays: bool = False, everything: bool = False) -> Led:
    """The same without what was joined."""
    found = _running(environ, stays=stays, everything=everything)
    if found is None:
        start = f"{START[:-1]} --intercept-all`" if everything else START
        note = f"no proxy runs, and where these lead to, {DEFAULT_PROXY}, a client reaches nothing. Start one: {start}."
        if proxies.local_key(environ) and proxies.listens(proxy_at(DEFAULT_PROXY).port):
            raise StrangersPort(proxy_at(DEFAULT_PROXY))
        folder = paths.debug_ca_folder(environ) if everything else paths.ca_folder(environ)
        notes = (note, *(proxies.not_proven(each) for each in proxies.unproven(environ)))
        return Led(url=proxies.keyed(DEFAULT_PROXY, environ), folder=folder, answers=False, notes=notes)
    passing = f"the proxy at {found.url} was started by `run` and ends with its clients. For one that stays: {START}."
    notes = () if found.stays else (passing,)
    folder = Path(found.certificate).parent
    return Led(url=proxies.keyed(found.url, environ), folder=folder, answers=True, notes=notes)


def led_to(
    wanted: str, environ: Mapping[str, str] = os.environ, *, everything: bool = False, force: bool = False
) -> Led:
    """The address that a person names. Raises BadProxyAddress, and without `force` OthersProxy for one of another
    pool."""
    proxy = proxy_at(wanted)
    invitation = None if everything else joined.current(environ)
    if invitation is not None and (proxy.host, proxy.port) == (invitation.host, invitation.port):
        return led(environ)
    parts = urlsplit(wanted)
    given = unquote(parts.password or parts.username or "")
    own = not given and is_loopback(proxy.host)
    answer = proxies.ask_own(proxy.url, environ) if own else proxies.ask(proxy.url, given)
    mine = answer.presence is not None and Path(answer.presence.home) == paths.home(environ)
    if not mine and not force and (answer.refused or answer.presence is not None):
        raise OthersProxy(proxy, known=answer.presence is not None)
    notes = () if answer.status else (f"nothing answers at {proxy.host} port {proxy.port}.",)
    folder = paths.debug_ca_folder(environ) if everything else paths.ca_folder(environ)
    if mine and answer.presence is not None:
        folder = Path(answer.presence.certificate).parent
    key = proxies.local_key(environ) if own and (mine or not answer.status) else ""
    url = proxy.url if given else proxies.address(proxy.url, key)
    return Led(url=url, folder=folder, answers=bool(answer.status), notes=notes)


def _running(environ: Mapping[str, str], *, stays: bool, everything: bool) -> ProxyInfo | None:
    """The newest that fits, one that stays before one that does not."""
    found = [each for each in proxies.running(environ) if each.everything is everything]
    lasting = [each for each in found if each.stays]
    return next(iter(lasting or ([] if stays else found)), None)

"""`serve`: the proxy in the foreground, on this machine only, with a certificate authority of its own."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import typer

from accounts.errors import UsageError
from accounts.people.keys import LOCAL
from accounts.store.no_accounts import no_accounts
from accounts.store.store import Store
from addons.dashboard.binding import bind
from cli.running import local_key, processes
from cli.running.binding import answers, stranded_notes
from cli.running.proxy_command import check_free, command
from cli.ui.options import AsJson
from cli.ui.render import say
from cli.ui.result import Result
from config import clock, paths
from config.network.hosts import is_loopback
from config.page.address import AUTO, USUAL, PageAddress, read_address

LISTEN: Final = "127.0.0.1:8118"
EVERYTHING: Final = ".*"
"""For mitmproxy's `allow_hosts`."""
RESTART: Final = "Restart clients that run already: they do not know it."


class OptionTaken(UsageError):
    def __init__(self, name: str) -> None:
        way = INSTEAD.get(name)
        told = f"Use {way} instead." if way else "Leave it out."
        super().__init__(f"--set {name}: `serve` sets this option itself, and would not work otherwise. {told}")


INSTEAD: Final[Mapping[str, str]] = {
    "listen_host": "--listen HOST:PORT",
    "listen_port": "--listen HOST:PORT",
    "allow_hosts": "--intercept-all",
    "rotate_everyone_here": "--everyone-here",
    "rotate_page": "--page HOST:PORT",
    "confdir": "CODEX_ROTATE_HOME",
    "proxyauth": "`codex-rotate keys add NAME`",
    "scripts": '`mitmdump -s "$(codex-rotate script)" -s YOURS`',
    "mode": "the setting `upstream_proxy` to go through another proxy",
}
TAKEN: Final = frozenset(
    # must be what they are (addons/startup.py); what is on the first line lets managed tokens be seen or go astray
    {
        "connection_strategy",
        "upstream_cert",
        "proxy_debug",
        "validate_inbound_headers",
        "websocket",
        "stickyauth",
        "stickycookie",
    }
    | {*INSTEAD, "ignore_hosts", "tcp_hosts", "udp_hosts", "server", "rotate_stop_when_unused"}
)
"""Options of mitmproxy without which the proxy is not ours any more."""


def add_to(app: typer.Typer) -> None:
    app.command("serve")(serve_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def serve_command(  # noqa: PLR0913 - one parameter per option
    *,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where clients find the proxy.")] = LISTEN,
    web: Annotated[bool, typer.Option("--web", help="With mitmweb, to look at the traffic in a browser.")] = False,
    intercept_all: Annotated[
        bool,
        typer.Option("--intercept-all", help="For debugging: open the TLS of every host, with a CA of its own."),
    ] = False,
    everyone_here: Annotated[
        bool,
        typer.Option("--everyone-here", help="Serve every user of this machine, and not you only."),
    ] = False,
    page: Annotated[
        str,
        typer.Option(
            "--page",
            metavar="HOST:PORT|off",
            help="Where the page of this proxy is, or off. Default: 127.0.0.1:8119, or the next free port.",
            show_default=False,
        ),
    ] = AUTO,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show mitmproxy's own lines too: connections, each request.")
    ] = False,
    metrics_anonymous: Annotated[
        bool,
        typer.Option("--metrics-anonymous", help="Name accounts by numbers in /metrics, and not by their labels."),
    ] = False,
    write: Annotated[
        str, typer.Option("-w", metavar="FILE", help="Save the flows for later; with + before the name, add to them.")
    ] = "",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Set an option of mitmproxy or of ours. Can be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> Result:
    """Run the proxy until it is stopped with Ctrl-C. It prints a line for each turn that is over."""
    shown = shown_by(settings or [], verbose=verbose, web=web)
    with Store(paths.pool_file()) as store:
        host, port = parse_listen(listen, keyed=bool(store.client_keys()))
        at = parse_page(page, keyed=any(name != LOCAL for name in store.client_keys().values()))
        if not store.accounts():
            raise no_accounts(store.path)
        if not everyone_here:
            local_key.ensure(store, paths.client_key_file())
    check_free(host, port)
    check_page(at)
    authority = (debug_authority if intercept_all else own_authority)(listen, clock.now())
    for line in authority.told:
        say(f"codex-rotate: {line}")
    argv = command(host, port, authority.certificate.parent, web=web, look=shown.look)
    argv += ["--set", "rotate_everyone_here=true"] if everyone_here else []
    argv += ["--set", "rotate_metrics_anonymous=true"] if metrics_anonymous else []
    argv += ["--set", f"rotate_page={page}"] if at is not None else []
    argv += [*authority.flags, *shown.flags, *(("-w", write) if write else ())]
    code = processes.foreground(argv, os.environ, quiet=as_json)
    notes = stranded_notes(paths.codex_dotenv_file(), host, port, answers)
    return replace(ended(code, f"http://{listen}", authority.certificate), notes=notes)


def parse_listen(listen: str, *, keyed: bool = False) -> tuple[str, int]:
    """Host and port. Raises UsageError for what is neither; without client keys, for an address that others could
    reach."""
    host, _, number = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not number.isascii() or not number.isdigit() or not 0 < int(number) < 65536:
        alone = listen.removeprefix(":")
        meant = f" Did you mean 127.0.0.1:{alone}?" if alone.isascii() and alone.isdigit() else ""
        raise UsageError(f"--listen needs an address and a port, such as {LISTEN}; {listen!r} is none.{meant}")
    if not keyed and not is_loopback(host):
        raise UsageError(
            f"{host} can be reached by others, who could use your accounts. Make a key for each client first "
            f"(`codex-rotate keys add NAME`), or listen on this machine only, such as {LISTEN}."
        )
    return host, int(number)


def parse_page(page: str, *, keyed: bool) -> PageAddress | None:
    """Where the page shall be; None for no page. Raises UsageError as `parse_listen` does."""
    try:
        at = read_address(page)
    except ValueError as e:
        raise UsageError(f"--page {e}") from None
    if at is not None and not keyed and not at.is_private:
        raise UsageError(
            f"{at.host} can be reached by others, who could look at your accounts. Make a key for each of them first "
            f"(`codex-rotate keys add NAME`), or let the page be on this machine only, such as {USUAL}."
        )
    return at


def check_page(at: PageAddress | None) -> None:
    """Raises PagePortTaken for a port that was named and that somebody has: while that can be said in one line."""
    if at is not None and at.named:
        bind(at).listener.close()


@dataclass(frozen=True, slots=True)
class LogDisplay:
    """How much the proxy shows of what it does, and the options that it is given."""

    look: str
    flags: tuple[str, ...]


def shown_by(settings: Sequence[str], *, verbose: bool = False, web: bool = False) -> LogDisplay:
    """Raises UsageError for an option that is no NAME=VALUE, OptionTaken for one that is not the user's to set."""
    names = set()
    for each in settings:
        name, equals, _ = each.partition("=")
        if not equals or not name.replace("_", "").isalnum():
            raise UsageError(f"--set needs an option and its value, such as rotate_transport=sse; {each!r} is neither.")
        if name in TAKEN:
            raise OptionTaken(name)
        names.add(name)
    look = "" if "termlog_verbosity" in names else "more" if verbose else "turns"
    quiet = {"termlog_verbosity": "debug"} if look == "more" else {}
    if not verbose and not web and "flow_detail" not in names:
        quiet["flow_detail"] = "0"
    given = [*(f"{name}={value}" for name, value in quiet.items()), *settings]
    return LogDisplay(look, tuple(part for each in given for part in ("--set", each)))


# --- working ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """What clients have to trust, what the proxy is told for it, and what a person has to know before it starts."""

    certificate: Path
    flags: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


def own_authority(_: str, now: float) -> Authority:
    """The constrained CA, made or renewed if need be."""
    from certs import ca  # late: cryptography

    done = ca.ensure(paths.ca_folder(), now)
    told = done.repairs
    if done.action is ca.CaAction.RENEWED:
        told += (f"{ca.common_name(done.certificate)} was made, because the CA before it was due. {RESTART}",)
    return Authority(certificate=done.trusted_file, told=told)


def debug_authority(listen: str, now: float) -> Authority:
    """The debug CA, and in plain words what it can do."""
    from certs import debug_ca  # late: cryptography

    made = debug_ca.ensure(paths.debug_ca_folder(), now)
    place = "" if listen == LISTEN else f" --proxy http://{listen}"
    meaning = (
        "--intercept-all: this proxy can read every TLS connection, to any host, that a client which trusts its debug "
        "CA sends through it. Managed accounts still go to the provider's model endpoints only."
    )
    use = (
        f"The debug CA is {made.name}, valid until {made.end:%Y-%m-%d %H:%M} UTC. Install it nowhere. Let one client "
        f'trust it, in a shell that you close afterwards: eval "$(codex-rotate env --intercept-all{place})"'
    )
    return Authority(certificate=made.file, flags=("--set", f"allow_hosts={EVERYTHING}"), told=(meaning, use))


def ended(code: int, address: str, certificate: Path) -> Result:
    """How it went. A proxy that ended by itself has said why."""
    data = {"proxy": address, "certificate": str(certificate), "exit_code": code}
    if code == 0:
        return Result("The proxy has stopped. Clients that were led to it need another one, or none.", data)
    message = f"The proxy ended with exit code {code}; its last lines say why. Mend that and start it again."
    return Result(message, data, exit_code=1)

"""The proxy of this user's own pool, for a client that needs one: one that runs, or a new one in the background."""

from collections.abc import Mapping

from accounts.store.store import Store
from certs.environment import proxy_at
from cli.running import local_key, proxies, proxy_command
from cli.running.client_command import Bound
from config import clock, paths
from config.page.address import HOST
from config.proxy_files import ProxyInfo


def find_proxy(bound: Bound, environ: Mapping[str, str]) -> ProxyInfo | None:
    """A proxy of ours that runs: where the client is led anyway, else any that opens the provider's hosts only."""
    running = proxies.running(environ)
    if bound.url is None:
        return next((each for each in running if not each.everything), None)
    wanted = proxy_at(bound.url)
    return next((each for each in running if proxy_at(each.url).port == wanted.port), None)


def start_proxy(bound: Bound, environ: Mapping[str, str]) -> proxies.Started:
    """A new one: at the address that the client is led to, else at a free port."""
    if bound.url is None:
        return start_at("127.0.0.1", 0, environ)
    at = proxy_at(bound.url)
    return start_at(at.host, at.port, environ)


def start_at(host: str, port: int, environ: Mapping[str, str]) -> proxies.Started:
    """A new one at this address; at port 0, at a free one. Raises PortTaken, ProxyDidNotStart or CaError."""
    from certs import ca  # late: cryptography

    if port:
        proxy_command.check_free(host, port)
    folder = paths.ca_folder(environ)
    ca.ensure(folder, clock.now())
    with Store(paths.pool_file(environ)) as store:
        local_key.ensure(store, paths.client_key_file(environ))
    argv = proxy_command.command(host, port, folder, web=False, look="warnings")
    flags: dict[str, object] = {"rotate_stop_when_unused": proxies.UNUSED_SECONDS}
    flags |= {"rotate_page": f"{HOST}:0"}  # for `codex-rotate open`; the usual port is for whoever serves
    flags |= {"rotate_capture_limit": 0, "flow_detail": 0, "termlog_verbosity": "warn"}  # nobody looks at it
    return proxies.start(
        [*argv, *(part for item in flags.items() for part in ("--set", "=".join(map(str, item))))], environ
    )

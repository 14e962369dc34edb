"""What holds for every test: nothing leaves this machine, and nothing touches the developer's own files."""

import ipaddress
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import certifi
import hypothesis
import pytest

from certs import debug_ca
from config import clock
from tests import warm

MEMORY = Path("/dev/shm")
"""Where tests write, if that is possible: a pool syncs every commit to its disk, and tests make thousands of them."""
NEEDED = 2 << 30
LONGEST_ID = 24
TESTS = Path(__file__).resolve().parent
SLOWEST_FIRST = ("e2e", "test_commands_in_docs.py", "browser", "crashes", "proxy", "cli")

_CONNECTING = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})


def _is_loopback(host: object) -> bool:
    if not isinstance(host, str) or host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse_other_hosts(event: str, args: tuple[object, ...]) -> None:
    if event in _CONNECTING:
        address = args[1]
        if isinstance(address, tuple) and not _is_loopback(address[0]):
            raise PermissionError(f"a test tried to reach {address[0]}; tests stay on loopback")
    elif event == "socket.getaddrinfo" and not _is_loopback(args[0]):
        raise PermissionError(f"a test tried to look up {args[0]!r}; tests stay on loopback")


hypothesis.settings.register_profile(
    "busy",
    deadline=None,
    max_examples=1000 if "COLD" in os.environ else 25,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    print_blob=True,
)
"""Other tests run beside: how long an example takes says nothing. Once a week there are more (`make newest`)."""


def pytest_configure() -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts so what it puts into the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    hypothesis.settings.load_profile("busy")
    sys.addaudithook(_refuse_other_hosts)
    if "PYTEST_DEBUG_TEMPROOT" not in os.environ and _memory_has_room():
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(MEMORY)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What mostly waits comes first: the many quick tests then fill what is left, on every core and until the end."""
    places = {name: place for place, name in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.relative_to(TESTS).parts[0], len(places)))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long values have no place in a name, and those that hold a made-up secret are others in every process."""
    if isinstance(val, bytes) and not (val.isascii() and val.decode().isprintable()):
        return argname
    return argname if isinstance(val, str | bytes) and len(val) > LONGEST_ID else None


def _memory_has_room() -> bool:
    """Whether tests can write there and run programs from there."""
    try:
        place = os.statvfs(MEMORY)
    except (OSError, AttributeError):  # another system than Linux
        return False
    free = place.f_bavail * place.f_frsize
    return free > NEEDED and not place.f_flag & os.ST_NOEXEC and os.access(MEMORY, os.W_OK)


@pytest.fixture(scope="session")
def few_roots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with one certificate. The system's hold a hundred and more, and each client reads them all anew."""
    folder = tmp_path_factory.mktemp("roots")
    return debug_ca.ensure(folder, clock.now()).file


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few_roots: Path) -> Path:
    """No test reads or writes the real home, or trusts what this machine does, or what a library of roots says."""
    monkeypatch.setenv("SSL_CERT_FILE", str(few_roots))
    monkeypatch.setattr(certifi, "where", lambda: str(few_roots))
    for name in ("HOME", "USERPROFILE", "CODEX_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("CODEX_CLI_AUTH_PATH", "CODEX_CLI_ACCOUNTS_PATH", "CODEX_REFRESH_TOKEN_URL_OVERRIDE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("CODEX_ROTATE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def warm_starts() -> Iterator[None]:
    """What a module's tests start of ours has imported already what it needs (tests/warm.py)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", warm.Popen)
        yield


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """All the same everything is started as a user starts it."""
    monkeypatch.setenv("COLD", "1")


@pytest.fixture(scope="session")
def confdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One certificate authority for all proxies of a test run, for any host. mitmproxy's own has an RSA key: to read
    it takes longer than all else that a proxy does to start."""
    folder = tmp_path_factory.mktemp("proxy-ca")
    debug_ca.ensure(folder, clock.now())
    return folder


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time, in tests that use it, is Tokyo's."""
    if not hasattr(time, "tzset"):
        pytest.skip("the zone of a process can be set on POSIX only")
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()

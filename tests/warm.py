"""Starts `codex-rotate` and the proxy from a process that has imported them before.

Importing takes far longer than what most tests have them do. A process that is started here is real all the same, with
its own id, folder, environment, arguments, streams and signals; it is forked from one that has imported our packages
and done nothing else. What cannot be had that way is started as ever: another program, or an environment that Python
reads when it starts. With COLD=1 in the environment everything is, as in `make newest`. Tests that are about a start
itself use `subprocess`. What a shell starts is asked for by small programs of the same names (`put_programs`).
"""

import atexit
import functools
import gc
import importlib
import inspect
import io
import json
import os
import pickle
import pkgutil
import re
import runpy
import secrets
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

TESTS: Final = Path(__file__).resolve().parent
ROOT: Final = TESTS.parent
BIN: Final = Path(sys.executable).parent
PACKAGES: Final = ("config", "accounts", "certs", "addons", "cli")
LIBRARIES: Final = (
    "mitmproxy.tools.main", "mitmproxy.tools.dump", "mitmproxy.proxy.server", "httpx", "tomlkit", "rich.console",
    "rich.markup", "rich.table", "rich.text", "typer.rich_utils",
)  # fmt: skip
"""What is imported late."""

_READ_AT_START: Final = re.compile(r"PYTHON(?!PATH|UNBUFFERED|DONTWRITEBYTECODE|PYCACHEPREFIX)|LC_|LANG|LD_|.*KEYLOG")
_INHERITED: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
"""Signals that stay ignored in what is started by somebody who ignores them."""
PROGRAMS: Final = ("codex-rotate", "mitmdump")
PLAIN: Final = "from mitmproxy.tools.main import mitmdump; mitmdump()"
"""What a benchmark compares with."""
CONTROL: Final = 3
"""Where a forked process finds the way to the warm one."""
_NUMBER: Final = struct.Struct("i")
_SIGNATURE: Final = inspect.signature(subprocess.Popen._execute_child)  # type: ignore[attr-defined]
_COLD: Final = subprocess.Popen
_starting: Final = threading.Lock()
_in_own_session = False
"""What this process starts is in the same session, which the warm process's children are not."""


_ASKING: Final = """\
#!{python} -IS
import os, sys
import _signal, _socket, _struct
from _json import encode_basestring_ascii as text
server = _socket.socket(_socket.AF_UNIX)
server.connect("\\0{address}")
ours, theirs = _socket.socketpair()
ignored = [each for each in {inherited} if _signal.getsignal(getattr(_signal, each)) == _signal.SIG_IGN]
asked = "".join([
    '{{"argv": [', ", ".join(map(text, [{program}, *sys.argv[1:]])),
    '], "env": {{', ", ".join(text(name) + ": " + text(value) for name, value in os.environ.items()),
    '}}, "ignored": [', ", ".join(map(text, ignored)),
    '], "cwd": ', text(os.getcwd()), ', "restrict": ', text({none}), ', "session": false}}',
])
request = os.memfd_create("request")
os.write(request, asked.encode())
handles = _struct.pack("5i", theirs.fileno(), request, 0, 1, 2)
server.sendmsg([b"+"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, handles)])
theirs.close()
pid, = _struct.unpack("i", ours.recv(4))
for each in {inherited}:
    if each not in ignored:
        _signal.signal(getattr(_signal, each), lambda number, _: os.kill(pid, number))
for each in 0, 1, 2:
    os.close(each)
code, = _struct.unpack("i", ours.recv(4))
if code < 0:
    _signal.signal(-code, _signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""
"""Asks the warm process for one of our programs, in its own place: it passes signals on, and ends as that does. The
modules are those in C: what is made of them in Python takes longer to import than most commands do."""


type Done = subprocess.CompletedProcess[Any]


class Popen(subprocess.Popen[Any]):
    """A process, forked from the warm one where that is possible."""

    def _execute_child(self, *args: Any) -> None:
        self._status: socket.socket | None = None
        if sys.platform != "linux" or isinstance(args[0], str | bytes | os.PathLike):
            super()._execute_child(*args)  # type: ignore[misc]
            return
        given = _SIGNATURE.bind(self, *args).arguments
        argv = [os.fspath(word) for word in given["args"]]
        env = dict(os.environ if given["env"] is None else given["env"])
        try:
            restrict = pickle.dumps(given["preexec_fn"]).hex()
        except (pickle.PicklingError, AttributeError, ValueError, TypeError):  # nobody else could call it
            restrict = ""
        shares = _in_own_session and not given["start_new_session"]
        if not restrict or given["shell"] or given["pass_fds"] or shares or not _forkable(argv, env):
            super()._execute_child(*args)  # type: ignore[misc]
            return
        pipes = ("p2cread", "c2pwrite", "errwrite")
        asked = {
            "argv": argv,
            "env": env,
            "cwd": os.path.abspath(given["cwd"] or "."),  # noqa: PTH100
            "session": given["start_new_session"],
            "ignored": [each for each in _INHERITED if signal.getsignal(signal.Signals[each]) is signal.SIG_IGN],
            "restrict": restrict,
        }
        streams = [number if (number := given[name]) != -1 else at for at, name in enumerate(pipes)]
        self._status = _server().start(asked, streams)
        self.pid = _read(self._status)
        self._child_created = True
        ends = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(given[name] for name in ends))  # type: ignore[attr-defined]

    def _internal_poll(self, *args: Any, **more: Any) -> int | None:
        if self._status is None:
            return super()._internal_poll(*args, **more)  # type: ignore[misc, no-any-return]
        return self._ended(0)

    def _wait(self, timeout: float | None) -> int | None:
        if self._status is None:
            return super()._wait(timeout)  # type: ignore[misc, no-any-return]
        if self._ended(timeout) is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode

    def _ended(self, seconds: float | None) -> int | None:
        assert self._status is not None
        if self.returncode is None and select.select([self._status], [], [], seconds)[0]:
            with self._waitpid_lock:  # type: ignore[attr-defined]
                if self.returncode is None:
                    self.returncode = _read(self._status)
                    self._status.close()
        return self.returncode


def run(argv: Sequence[object], *, timeout: float, check: bool = False, **more: Any) -> "Done":
    """As `subprocess.run`, which does not take another Popen."""
    if more.pop("capture_output", False):
        more |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with Popen(argv, **more) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


def make_ready() -> None:
    """Start the warm process, if this system has it. What is forked from here shares it."""
    if sys.platform == "linux" and "COLD" not in os.environ:
        _server()


def put_programs(folder: Path) -> None:
    """Our programs for a shell whose PATH begins with that folder. They run in the warm process's session, so a
    terminal is none of theirs; what is started as a user's with COLD=1 is so here, too."""
    for name in PROGRAMS:
        program = folder / name
        if sys.platform != "linux" or "COLD" in os.environ:
            program.symlink_to(BIN / name)
            continue
        words = {"python": sys.executable, "address": _server().address, "inherited": _INHERITED}
        none = pickle.dumps(None).hex()
        program.write_text(_ASKING.format(**words, program=repr(str(BIN / name)), none=repr(none)))
        program.chmod(0o755)


def _read(status: socket.socket) -> int:
    said = status.recv(_NUMBER.size, socket.MSG_WAITALL)
    assert said, "the warm process has ended"
    return int(_NUMBER.unpack(said)[0])


def _program(argv: Sequence[str]) -> Callable[[], object] | None:
    """What such a process does, when it is one of ours."""
    if argv[0] == str(BIN / "codex-rotate"):
        return _rotate
    if argv[0] == str(BIN / "mitmdump"):
        return _mitmdump
    if argv[0] == str(BIN / "mitmweb"):
        return _mitmweb
    if argv[:2] == [sys.executable, "-c"] and ("import codex_rotate" in argv[2] or argv[2] == PLAIN):
        return functools.partial(exec, argv[2], {"__name__": "__main__"})
    if argv[0] == sys.executable and Path(*argv[1:2]).is_relative_to(TESTS):
        return functools.partial(runpy.run_path, argv[1], run_name="__main__")
    return None


def _rotate() -> None:
    import codex_rotate

    codex_rotate.main()


def _mitmdump() -> None:
    from mitmproxy.tools.main import mitmdump

    mitmdump()


def _mitmweb() -> None:
    from mitmproxy.tools.main import mitmweb

    mitmweb()


def _forkable(argv: Sequence[str], env: Mapping[str, str]) -> bool:
    return "COLD" not in os.environ and _program(argv) is not None and _as_started(env) == _as_started(os.environ)


def _as_started(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if _READ_AT_START.match(name)}


# --- the warm process, as seen from a test ---------------------------------------------------------------------------


class _Server:
    """It ends when whoever started it has, whose end of the socket is closed then."""

    def __init__(self, control: socket.socket, address: str = "") -> None:
        self.address, self._control, self._starting = address, control, threading.Lock()

    def start(self, asked: Mapping[str, object], streams: Sequence[int]) -> socket.socket:
        """Where its number is said first, and its exit code when it has ended."""
        ours, theirs = socket.socketpair()
        with theirs, tempfile.TemporaryFile() as request, self._starting:
            request.write(json.dumps(asked).encode())
            request.flush()
            socket.send_fds(self._control, [b"+"], [theirs.fileno(), request.fileno(), *streams])
        return ours


def _server() -> _Server:
    with _starting:  # tests that start things side by side would have one each
        return _only_server()


@functools.cache
def _only_server() -> _Server:
    ours, theirs = socket.socketpair()
    address = f"codex-rotate-tests-{secrets.token_hex(8)}"  # without a file
    with theirs, socket.socket(socket.AF_UNIX) as asked:
        asked.bind(f"\0{address}")
        asked.listen()
        handles = [theirs.fileno(), asked.fileno()]
        process = _COLD([sys.executable, "-P", __file__, *map(str, handles)], cwd=ROOT, pass_fds=handles)
    atexit.register(_end, ours, process)
    return _Server(ours, address)


def _end(control: socket.socket, process: subprocess.Popen[bytes]) -> None:
    control.close()
    process.wait()


# --- the warm process ------------------------------------------------------------------------------------------------


def main() -> None:
    """Serve, and in every child be what was asked for. Its end is the interpreter's own."""
    control, asked = (socket.socket(fileno=int(handle)) for handle in sys.argv[1:])
    sys.path.insert(0, str(ROOT))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's is for whoever started us
    _import_everything()
    assert len(os.listdir("/proc/self/task")) == 1, "something has started a thread, which no fork takes along"  # noqa: PTH208
    gc.collect()
    gc.freeze()
    wanted = _serve(control, asked)
    if wanted is not None:
        _leave_after(_become(wanted))


def _import_everything() -> None:
    import codex_rotate

    codex_rotate.claim_names()
    for package in PACKAGES:
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            importlib.import_module(module.name)
    for name in LIBRARIES:
        importlib.import_module(name)


@dataclass(frozen=True)
class _Wanted:
    """A process: what it is asked to be, what it calls first, and its streams and where it can ask in its turn."""

    asked: dict[str, Any]
    restrict: Callable[[], object] | None
    handles: list[int]


def _serve(control: socket.socket, listening: socket.socket) -> _Wanted | None:
    """Fork whenever it is asked for, and tell how the children ended. Returns when nobody can ask any more, and in a
    child."""
    askers, children = [control], dict[int, socket.socket]()
    news, ended = socket.socketpair()
    ended.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(ended.fileno(), warn_on_full_buffer=False)
    while True:
        for ready in select.select([news, listening, *askers], [], [])[0]:
            if ready is news:
                news.recv(4096)
                _tell_ended(children)
                continue
            if ready is listening:
                askers.append(listening.accept()[0])
                continue
            asked, handles, *_ = socket.recv_fds(ready, 1, 5)
            if not asked:
                if ready is control:
                    return None
                askers.remove(ready)
                ready.close()
                continue
            with os.fdopen(handles[1], "rb") as request:
                request.seek(0)
                wanted = json.load(request)
            restrict = pickle.loads(bytes.fromhex(wanted["restrict"]))
            ours, theirs = socket.socketpair()
            pid = os.fork()
            if pid == 0:
                for each in (listening, *askers):
                    each.detach()
                return _Wanted(wanted, restrict, [*handles[2:], theirs.detach()])
            theirs.close()
            askers.append(ours)
            for handle in handles[2:]:
                os.close(handle)
            children[pid] = socket.socket(fileno=handles[0])
            children[pid].send(_NUMBER.pack(pid), socket.MSG_NOSIGNAL)


def _tell_ended(children: dict[int, socket.socket]) -> None:
    for pid in list(children):
        number, status = os.waitpid(pid, os.WNOHANG)
        if number:
            with children.pop(pid) as told, suppress(OSError):  # nobody may be waiting
                told.send(_NUMBER.pack(os.waitstatus_to_exitcode(status)), socket.MSG_NOSIGNAL)


def _become(wanted: _Wanted) -> Callable[[], object]:
    """Make this process the one that was asked for; what it has to do."""
    asked = wanted.asked
    for number, handle in enumerate(wanted.handles):
        os.dup2(handle, number, inheritable=number < CONTROL)
    os.closerange(CONTROL + 1, os.sysconf("SC_OPEN_MAX"))
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for each in asked["ignored"]:
        signal.signal(signal.Signals[each], signal.SIG_IGN)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    time.tzset()
    _open_streams(unbuffered=bool(os.environ.get("PYTHONUNBUFFERED")))
    if asked["session"]:
        os.setsid()
    own = _Server(socket.socket(fileno=CONTROL))
    globals().update(_server=lambda: own, _in_own_session=asked["session"])
    subprocess.Popen = Popen  # type: ignore[misc]
    for folder in reversed(list(filter(None, asked["env"].get("PYTHONPATH", "").split(os.pathsep)))):
        sys.path.insert(0, folder)
        if Path(folder, "sitecustomize.py").exists():
            runpy.run_path(str(Path(folder, "sitecustomize.py")))
    if wanted.restrict is not None:
        wanted.restrict()
    argv = asked["argv"]
    by_python = argv[0] == sys.executable
    sys.argv = ["-c", *argv[3:]] if argv[1:2] == ["-c"] else argv[by_python:]
    program = _program(argv)
    assert program is not None
    return program


def _leave_after(program: Callable[[], object]) -> None:
    """Run it, and end as Python does, but for the taking apart of every module, which takes longer than most programs
    do. What is not in order it has to tell itself."""
    code = 0
    try:
        program()
    except SystemExit as e:
        if not isinstance(e.code, int | None):
            raise
        code = e.code or 0
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code & 0xFF)


def _open_streams(*, unbuffered: bool) -> None:
    """As Python does when it starts."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        before, raw = getattr(sys, name), io.FileIO(number, "r" if number == 0 else "w", closefd=False)
        binary = io.BufferedReader(raw) if number == 0 else raw if unbuffered else io.BufferedWriter(raw)
        lines = number == 2 or raw.isatty()
        text = io.TextIOWrapper(
            binary,  # type: ignore[type-var]
            before.encoding,
            before.errors,
            line_buffering=lines,
            write_through=unbuffered,
        )
        setattr(sys, name, text)
        setattr(sys, f"__{name}__", text)


if __name__ == "__main__":
    main()

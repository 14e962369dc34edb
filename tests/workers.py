"""Runs the tests of a run side by side, in processes that are forked when all tests have been found.

Finding them takes as long as a tenth of running them, so it is done once. Each process takes one file after the other
from a queue, in the order in which they stand; what it has to tell it tells the first process, which alone talks. Tests
marked `serial` come last, in the first process, when all others have ended.
"""

import atexit
import gc
import os
import pickle
import selectors
import signal
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import RawIOBase
from itertools import groupby
from types import SimpleNamespace
from typing import Any, BinaryIO, Final, NoReturn

import pytest
from hypothesis import given, settings, strategies

from tests import warm

SIZE: Final = 4
"""Bytes of a number: a file's in the queue, a message's length before it."""
FEW: Final = 1000
"""Of no more tests than these none may need the warm process. Of more some do, and all workers share it."""

type _Told = tuple[str, dict[str, Any]]
"""A hook of pytest, and what it is called with."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--workers", type=int, default=1, metavar="NUMBER", help="run tests in so many processes")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    option = session.config.option
    if option.workers < 2 or option.collectonly or session.testsfailed:
        return None
    alone = [item for item in session.items if item.get_closest_marker("serial")]
    together = [item for item in session.items if not item.get_closest_marker("serial")]
    files = [list(items) for _, items in groupby(together, lambda item: item.path)]
    _run_together(session, files, option.workers)
    for item, following in zip(alone, [*alone[1:], None], strict=False):
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        _stop_if_told(session)
    return True


def _stop_if_told(session: pytest.Session) -> None:
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)


@dataclass
class _Worker:
    """A process, what comes from it, and which test it is in."""

    pid: int
    said: RawIOBase
    name: str
    test: str = ""


def _run_together(session: pytest.Session, files: Sequence[list[pytest.Item]], count: int) -> None:
    session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]  # one folder for all
    if len(session.items) > FEW:
        warm.make_ready()
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    reporter.showfspath = False
    reporter.flush()
    _prepare_properties()
    gc.collect()
    gc.freeze()  # what is there already is not looked at again, and so not copied
    queue, filling = os.pipe()
    for number in range(len(files)):
        os.write(filling, number.to_bytes(SIZE))
    os.close(filling)
    workers: list[_Worker] = []
    try:
        for number in range(min(count, len(files))):
            workers += [_forked(session, files, queue, f"worker-{number}")]
        _listen(session, workers, queue)
    except BaseException:
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGINT)
                os.waitpid(worker.pid, 0)
        raise
    finally:
        os.close(queue)
    _stop_if_told(session)


@settings(max_examples=1, database=None, deadline=None)
@given(strategies.text())
def _prepare_properties(_: str) -> None:
    """Whoever tries the first property reads the constants of all modules and makes the table of all characters."""


def _forked(session: pytest.Session, files: Sequence[list[pytest.Item]], queue: int, name: str) -> _Worker:
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        _work(session, files, queue, _Telling(session.config, os.fdopen(theirs, "wb"), name))
    os.close(theirs)
    return _Worker(pid, os.fdopen(ours, "rb", buffering=0), name)


# --- the first process -----------------------------------------------------------------------------------------------


def _listen(session: pytest.Session, workers: Sequence[_Worker], queue: int) -> None:
    """Pass on what the others say until all have ended."""
    with selectors.DefaultSelector() as selector:
        for worker in workers:
            selector.register(worker.said, selectors.EVENT_READ, worker)
        while selector.get_map():
            for key, _ in selector.select():
                worker = key.data
                if length := int.from_bytes(_read(worker.said, SIZE)):
                    _pass_on(session.config, worker, pickle.loads(_read(worker.said, length)))
                    continue
                selector.unregister(worker.said)
                worker.said.close()
                if os.waitpid(worker.pid, 0)[1]:
                    words = "the process ended; the tests that come after it in its file were not run"
                    _pass_on(session.config, worker, _failure(worker.test or worker.name, words))
            if session.shouldfail:
                while os.read(queue, SIZE):  # nobody takes another file
                    pass


def _read(said: RawIOBase, size: int) -> bytes:
    """So much, or what is left at the end."""
    found = b""
    while len(found) < size and (more := said.read(size - len(found))):
        found += more
    return found


def _pass_on(config: pytest.Config, worker: _Worker, told: _Told) -> None:
    hook, given = told
    if hook == "pytest_runtest_logstart":
        worker.test = given["nodeid"]
    elif hook == "pytest_runtest_logfinish":
        worker.test = ""
    elif hook == "pytest_runtest_logreport":
        given["report"] = config.hook.pytest_report_from_serializable(config=config, data=given["report"])
        gateway = SimpleNamespace(id=worker.name)
        given["report"].node = SimpleNamespace(gateway=gateway, _workerinfocache=f"[{worker.name}]")  # pytest asks
    caller = getattr(config.hook, hook)
    if hook == "pytest_warning_recorded":
        caller.call_historic(kwargs=given)
    else:
        caller(**given)


def _failure(nodeid: str, words: str) -> _Told:
    report = pytest.TestReport(nodeid, (nodeid, None, nodeid), {}, "failed", words, "call")
    return "pytest_runtest_logreport", {"report": {**report._to_json(), "$report_type": "TestReport"}}


# --- the others ------------------------------------------------------------------------------------------------------


class _Telling:
    """In the place of the terminal: what there is to say goes to the first process."""

    def __init__(self, config: pytest.Config, to: BinaryIO, name: str) -> None:
        self.name = name
        self._config = config
        self._to = to

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        self._tell("pytest_runtest_logstart", nodeid=nodeid, location=location)

    def pytest_runtest_logfinish(self, nodeid: str, location: Any) -> None:
        self._tell("pytest_runtest_logfinish", nodeid=nodeid, location=location)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._tell("pytest_runtest_logreport", report=data)

    def pytest_warning_recorded(self, warning_message: Any, when: Any, nodeid: str, location: Any) -> None:
        told = {"warning_message": warning_message, "when": when, "nodeid": nodeid, "location": location}
        self._tell("pytest_warning_recorded", **told)

    def _tell(self, hook: str, **given: Any) -> None:
        self.tell((hook, given))

    def tell(self, told: _Told) -> None:
        message = pickle.dumps(told)
        self._to.write(len(message).to_bytes(SIZE) + message)
        self._to.flush()


def _work(session: pytest.Session, files: Sequence[list[pytest.Item]], queue: int, telling: _Telling) -> NoReturn:
    """Be such a process, to its end."""
    config, code = session.config, 1
    try:
        plugins: Any = config.pluginmanager
        plugins.unregister(name="terminalreporter")
        plugins.register(telling)
        capture = plugins.getplugin("capturemanager")
        capture.stop_global_capturing()  # its files are the first process's, too
        capture.start_global_capturing()
        factory = config._tmp_path_factory  # type: ignore[attr-defined]
        factory._given_basetemp, factory._basetemp = factory.getbasetemp() / telling.name, None
        for items in _taken(files, queue):
            for item, following in zip(items, [*items[1:], session], strict=True):  # what is the session's stays
                config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                _stop_if_told(session)
        session._setupstate.teardown_exact(None)
        atexit._run_exitfuncs()
        code = 0
    except (session.Failed, session.Interrupted, KeyboardInterrupt):
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it is, the first process has to say it
        telling.tell(_failure(telling.name, traceback.format_exc()))
    finally:
        os._exit(code)


def _taken(files: Sequence[list[pytest.Item]], queue: int) -> Iterator[list[pytest.Item]]:
    while number := os.read(queue, SIZE):
        yield files[int.from_bytes(number)]

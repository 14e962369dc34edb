"""The official CLI and an account that says what users have met: one case of each way in which we come to know of it.

`python -m scripts.cases` plays all of them.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from tests.e2e.cases import HTTP, IN_SOCKETS, WEBSOCKET, Sitting, open_sitting, played

SAMPLE = (
    "untyped",  # a stream by its first bytes only
    "limit_as_200",  # a success with an error inside
    "bare_402",
    "challenge",  # a refusal without a reason
    "model_failed",  # inside an answer, about the model
    "shell_deltas_limit",  # after something that is no output yet
    "closed_1011_at_message",
    "everybody_is_busy",  # nobody can serve for a while
)
ONE = itertools.cycle([(HTTP,), (WEBSOCKET,)])
WAYS = {name: (WEBSOCKET,) if name in IN_SOCKETS else next(ONE) for name in SAMPLE}
BOTH = {name: (WEBSOCKET,) if name in IN_SOCKETS else (WEBSOCKET, HTTP) for name in SAMPLE}
PLAYED = sorted((how, name) for name, hows in (BOTH if "COLD" in os.environ else WAYS).items() for how in hows)
"""Each over one transport, in turn; `make newest` plays them over both."""


type Sittings = Callable[[str], Sitting]


@pytest.fixture(scope="module")
def sittings(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sittings]:
    """One for each transport, whatever the order of the tests."""
    with ExitStack() as stack:

        def opened(how: str) -> Sitting:
            return stack.enter_context(open_sitting(binary, tmp_path_factory.mktemp(how) / "a desk", how, cold=False))

        yield cache(opened)


@pytest.mark.parametrize(("transport", "name"), PLAYED)
def test_the_user_notices_nothing(sittings: Sittings, transport: str, name: str) -> None:
    seen = played(sittings(transport), name)
    assert seen.wrong == (), (seen.asked, seen.ran)

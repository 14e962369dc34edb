"""What a server says before its answer is skipped, in whatever pieces it comes."""

import pytest
from mitmproxy.options import Options

from addons.attempts.selftest import FINE, UPGRADE, Rehearsal, Script
from tests.addons.attempts.asking import asked

EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
CONTINUE = b"HTTP/1.1 100\r\n\r\n"


@pytest.mark.parametrize("before", [EARLY, CONTINUE, EARLY + CONTINUE + EARLY])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_informational_answer_is_not_the_answer(options: Options, before: bytes, size: int) -> None:
    script = Script("one", "two")
    rehearsal, whole = asked(options, script), before + FINE
    for at in range(0, len(whole), size):
        rehearsal.says(rehearsal.servers[0], whole[at : at + size])
    assert script.history == ["head 200", "delivering", "finished"]
    assert rehearsal.sent[rehearsal.client].startswith(b"HTTP/1.1 200")
    assert len(rehearsal.servers) == 1


def test_an_upgrade_is_the_answer(options: Options) -> None:
    script = Script("one")
    rehearsal = Rehearsal(options, script)
    rehearsal.says(rehearsal.client, UPGRADE)
    rehearsal.says(rehearsal.servers[0], b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    assert script.history[0] == "head 101"


def test_what_ends_after_an_informational_answer_is_a_lost_attempt(options: Options) -> None:
    script = Script("one", "two")
    rehearsal = asked(options, script)
    rehearsal.says(rehearsal.servers[0], EARLY)
    rehearsal.leaves(rehearsal.servers[0])
    assert script.history == ["lost BROKEN"]

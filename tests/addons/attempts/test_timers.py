"""Many streams share one timer, and each is woken when its own time has come."""

import gc
import weakref
from types import SimpleNamespace
from typing import Any

from mitmproxy.proxy import commands, events, layer

from addons.attempts.timers import AttemptWakeup, SharedWakeup, Timers


class Stream:
    """Notes when it is woken, and what it was answered."""

    def __init__(self, *says: commands.Command) -> None:
        self.says = says
        self.seen: list[events.Event] = []

    def handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        self.seen.append(event)
        says, self.says = self.says, ()
        yield from says


class Stage:
    """What an HTTP layer does with the commands of those it hosts."""

    def __init__(self) -> None:
        self.layer: Any = SimpleNamespace(command_sources={})
        self.timers = Timers(self.layer)
        self.set: list[SharedWakeup] = []
        self.passed: list[commands.Command] = []

    def schedule(self, stream: Stream, seconds: float) -> None:
        self._obey(self.timers.schedule(AttemptWakeup(seconds, stream)), stream)

    def feed(self, event: events.Event) -> None:
        self._obey(self.timers.handle_event(event), self.timers)

    def _obey(self, said: layer.CommandGenerator[None], by: object) -> None:
        for command in said:
            self.layer.command_sources[command] = by
            if isinstance(command, SharedWakeup):
                self.set.append(command)
            else:
                self.passed.append(command)


def test_later_streams_ask_for_no_further_timer() -> None:
    stage, streams = Stage(), [Stream() for _ in range(100)]
    for stream in streams:
        stage.schedule(stream, 45)
    assert [wakeup.delay for wakeup in stage.set] == [45]
    assert stage.layer.command_sources[stage.set[0]] is stage.timers  # and not the stream, which may be over soon


def test_an_earlier_time_asks_for_a_timer_of_its_own() -> None:
    stage, patient, hasty = Stage(), Stream(), Stream()
    stage.schedule(patient, 45)
    stage.schedule(hasty, 6)
    stage.feed(events.Wakeup(stage.set[1]))
    assert (len(hasty.seen), len(patient.seen)) == (1, 0)
    assert 38 < stage.set[2].delay < 40  # the rest of the patient one's time


def test_a_timer_whose_place_another_has_taken_means_nothing() -> None:
    stage, patient = Stage(), Stream()
    stage.schedule(patient, 45)
    stage.schedule(Stream(), 6)
    stage.feed(events.Wakeup(stage.set[0]))
    assert patient.seen == []


def test_a_stream_that_sets_a_new_time_is_not_woken_at_the_old_one() -> None:
    stage, stream = Stage(), Stream()
    stage.schedule(stream, 6)
    stage.schedule(stream, 45)
    stage.feed(events.Wakeup(stage.set[0]))
    assert stream.seen == []
    stage.feed(events.Wakeup(stage.set[1]))
    assert len(stream.seen) == 1


def test_nobody_left_is_woken_and_nothing_is_asked_for() -> None:
    stage, stream = Stage(), Stream()
    stage.schedule(stream, 6)
    gone = weakref.ref(stream)
    stage.layer.command_sources.clear()
    del stream
    gc.collect()
    assert gone() is None
    stage.feed(events.Wakeup(stage.set[0]))
    assert len(stage.set) == 1


def test_what_a_woken_stream_asks_is_answered_to_it() -> None:
    """mitmproxy sends the answer to where the question came from, which was us."""
    question = commands.RequestWakeup(1)
    stage, asking, other = Stage(), Stream(question), Stream()
    for stream in (asking, other):
        stage.schedule(stream, 6)
    stage.feed(events.Wakeup(stage.set[0]))
    stage.feed(events.Wakeup(stage.set[1])) if len(stage.set) > 1 else None
    assert stage.passed == [question]
    answer = events.Wakeup(question)
    stage.feed(answer)
    assert asking.seen[-1] is answer
    assert len(other.seen) == 1
    stage.feed(answer)  # once is enough
    assert asking.seen.count(answer) == 1


def test_a_stream_that_is_over_is_not_woken() -> None:
    stage, stream = Stage(), Stream()
    stage.schedule(stream, 6)
    stage.timers.forget(stream)
    stage.feed(events.Wakeup(stage.set[0]))
    assert (stream.seen, len(stage.set)) == ([], 1)


def test_nor_is_one_that_ends_while_another_is_woken() -> None:
    stage, later = Stage(), Stream()

    class Ending(Stream):
        def handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
            stage.timers.forget(later)
            yield from super().handle_event(event)

    ending = Ending()
    stage.schedule(ending, 6)
    stage.schedule(later, 6)
    stage.set[0].due += 1  # both are due by now
    stage.feed(events.Wakeup(stage.set[0]))
    assert (len(ending.seen), later.seen) == (1, [])

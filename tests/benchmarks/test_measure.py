"""The kernel's own counts of a process."""

import os
import sys
import time

import pytest

from benchmarks import measure

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")


def test_cpu_time_is_that_of_the_process_it_was_asked_for():
    before, own = measure.cpu_seconds([os.getpid()]), time.process_time()
    while time.process_time() < own + 0.05:
        pass
    assert 0.05 <= measure.cpu_seconds([os.getpid()]) - before < 1
    assert measure.cpu_seconds([]) == 0


def test_memory_is_that_of_all_of_them():
    one = measure.rss_mb([os.getpid()])
    assert one > 10
    assert measure.rss_mb([os.getpid(), os.getpid()]) == pytest.approx(2 * one, rel=0.2)


def test_the_machine_is_described():
    assert {"processor", "python", "mitmproxy", "load"} == measure.machine().keys()
    assert all(measure.machine().values())

"""What processes cost, as the kernel counts it. Linux only.

CPU time is steadier than time on the wall: whoever else is busy changes how long something takes more than what it
costs.
"""

import os
import platform
import re
import sys
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Final

_RSS: Final = re.compile(r"^VmRSS:\s+(\d+) kB$", re.MULTILINE)
_MODEL: Final = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time that these processes have used until now, all threads, in user mode and in the kernel."""
    return sum(time.clock_gettime(_cpu_clock(pid)) for pid in pids)


def _cpu_clock(pid: int) -> int:
    """The clock of another process's CPU time, as clock_getcpuclockid(3) makes it: /proc counts in ticks of 10 ms."""
    return (~pid << 3) | 2


def rss_mb(pids: Iterable[int]) -> float:
    """Resident memory of these processes in MB (2^20 bytes)."""
    found = [_RSS.search(Path(f"/proc/{pid}/status").read_text("ascii", "replace")) for pid in pids]
    return sum(int(each[1]) for each in found if each is not None) / 1024


def machine() -> dict[str, str]:
    """What the numbers depend on beside the code, and how busy it was (`load`, processes that want to run)."""
    model = _MODEL.search(Path("/proc/cpuinfo").read_text("utf-8", "replace"))
    return {
        "processor": f"{os.cpu_count()} x {model[1] if model else platform.machine()}",
        "python": ".".join(map(str, sys.version_info[:3])),
        "mitmproxy": version("mitmproxy"),
        "load": f"{os.getloadavg()[0]:.2f}",
    }

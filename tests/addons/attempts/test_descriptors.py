"""The proxy may have as many connections as the system allows at all."""

import subprocess
import sys

import pytest

pytest.importorskip("resource")

SAID = (
    "import resource; from addons.attempts.descriptors import raise_limit; "
    "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]; "
    "resource.setrlimit(resource.RLIMIT_NOFILE, (64, {hard})); "
    "print(raise_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
)


@pytest.mark.parametrize(("hard", "soft"), [("200", 200), ("64", 64)])
def test_the_soft_limit_becomes_the_hard_one(hard: str, soft: int) -> None:
    told = subprocess.run([sys.executable, "-c", SAID.format(hard=hard)], capture_output=True, text=True, check=True)
    assert told.stdout.split() == [str(soft), str(soft), hard]

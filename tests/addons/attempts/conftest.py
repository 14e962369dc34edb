"""What every rehearsal of attempts needs."""

from collections.abc import Iterator

import pytest
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.options import Options
from mitmproxy.test import taddons


@pytest.fixture
def options() -> Iterator[Options]:
    with taddons.context(Proxyserver()) as context:
        yield context.options

"""What `doctor` finds without asking anybody, as the page of a proxy shows it."""

import os
from collections.abc import Mapping

from addons.dashboard.views.findings import ShownFinding
from cli.doctor import checks
from config import clock

ASKING: frozenset[str] = frozenset({"Through the proxy"})
"""Groups of checks that nothing is known for before requests were made."""


def findings(environ: Mapping[str, str] = os.environ) -> list[ShownFinding]:
    """In the order in which `doctor` shows them. No request is made of the provider, and nothing is changed."""
    found = checks.judged(checks.look(environ, clock.now()))
    return [
        ShownFinding(group=group, state=str(each.state), what=each.what, remedy=each.remedy)
        for group, each in found
        if group not in ASKING
    ]

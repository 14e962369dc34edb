"""`mitmdump -s rotate.py`: a rotating forward proxy for the official Codex CLI."""

import sys
from pathlib import Path

here = Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent if (here / "__init__.py").is_file() else here))  # in an installation: its package

import codex_rotate

sys.path.pop(0)
codex_rotate.claim_names()

from addons.chain import addons, dashboard
from addons.dashboard.views.findings import ShownFinding


def findings() -> list[ShownFinding]:
    """What `doctor` finds, for the page. The addons know nothing of the commands; here both are known."""
    from cli.doctor import page  # late: only who looks needs it

    return page.findings()


dashboard.look = findings

__all__ = ["addons"]

"""`mitmdump -s rotate.py`: a rotating forward proxy for the official Codex CLI."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import codex_rotate

codex_rotate.claim_names()

from addons import addons

__all__ = ["addons"]

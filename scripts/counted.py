# ruff: noqa: INP001 - scripts/ holds programs
"""The official CLI under `codex-rotate run` while accounts die, and whether `usage` has counted every token.

    [ROTATE_BIN=COMMAND] .venv/bin/python -m scripts.counted [TURNS [SEED]]

Conversations of tests/e2e/kill_plan.py, over a WebSocket and over HTTP, one after the other: rotations before output
and in the middle of answers, tools, resumed threads. At the end the sums of `usage --json` are compared with what the
stand-in has counted itself, input, cached, output and reasoning. Nothing leaves this machine. Exit code 1 when a number
differs, or a turn was lost.
"""

import json
import secrets
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from cli.demo.play import find_client
from config import clock
from tests.e2e.kill_plan import MODES, Choice
from tests.e2e.kill_turns import Outcome, Table, open_table
from tests.harness import eventually

TURNS: Final = 100
KINDS: Final = ("input", "cached", "output", "reasoning")
WRITTEN_SECONDS: Final = 20.0
"""So long at most until the last turns are in the ledger."""
SLOW: Final = frozenset({"silence"})
"""Ways to die that only take time."""


def upstream_count(table: Table) -> Counter[str]:
    """What the stand-in has told its clients of tokens."""
    found = Counter[str]()
    for usage in (each.usage for each in table.desk.upstream.attempts if each.usage):
        found["input"] += usage["input_tokens"]
        found["cached"] += usage["input_tokens_details"]["cached_tokens"]
        found["output"] += usage["output_tokens"]
        found["reasoning"] += usage["output_tokens_details"]["reasoning_tokens"]
    return found


def ledger_count(table: Table) -> Counter[str]:
    """What `usage` says of all turns."""
    total = json.loads(table.desk.rotate("usage", "--since", "1d", "--json"))["total"]
    return Counter({kind: int(total[f"{kind}_tokens"]) for kind in KINDS})


def played(tables: dict[str, Table], stack: ExitStack, binary: Path, turns: int, seed: str) -> Iterator[Outcome]:
    """So many turns, in conversations that the seed draws."""
    choice, number, begun = Choice([each for each in MODES if each not in SLOW]), 0, 0
    while begun < turns:
        number += 1
        conversation = choice.conversation(f"{seed} {number}")[: turns - begun]
        transport = conversation[0].transport
        if transport not in tables:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="codex-rotate ")))
            tables[transport] = stack.enter_context(open_table(binary, folder / "a desk", transport))
        tables[transport].begin()
        for turn in conversation:
            begun += 1
            yield tables[transport].play(turn)


def is_same(table: Table) -> bool:
    return ledger_count(table) == upstream_count(table)


def told(name: str, count: Counter[str]) -> str:
    return f"{name:>10}" + "".join(f"{count[kind]:>12,}" for kind in KINDS)


def main() -> int:
    turns = int(sys.argv[1]) if sys.argv[1:] else TURNS
    seed = sys.argv[2] if sys.argv[2:] else secrets.token_hex(4)
    binary = find_client({})
    if not binary:
        sys.stderr.write("The official CLI is missing: run `make codex`.\n")
        return 1
    began, wrong, tables = clock.monotonic(), 0, dict[str, Table]()
    with ExitStack() as stack:
        outcomes = list(played(tables, stack, Path(binary), turns, seed))
        sys.stdout.write(f"{'':>10}" + "".join(f"{kind:>12}" for kind in KINDS) + "\n")
        for transport, table in tables.items():
            same = eventually(partial(is_same, table), WRITTEN_SECONDS)
            wrong += not same
            sys.stdout.write(f"{transport}: {'the same' if same else 'NOT THE SAME'}\n")
            sys.stdout.write(f"{told('stand-in', upstream_count(table))}\n{told('usage', ledger_count(table))}\n")
    for each in (one for one in outcomes if one.lost):
        sys.stdout.write(f"lost: {each.turn.again}: {'; '.join(each.lost)[:400]}\n")
    lost = sum(bool(each.lost) for each in outcomes)
    deaths = sum(len(each.struck) for each in outcomes)
    minutes = (clock.monotonic() - began) / 60
    attempts = sum(len(each.attempts) for each in outcomes)
    sys.stdout.write(
        f"seed {seed}: {len(outcomes)} turns in {minutes:.1f} min, {deaths} deaths, {attempts} attempts, {lost} lost\n"
    )
    return 1 if wrong or lost else 0


if __name__ == "__main__":
    sys.exit(main())

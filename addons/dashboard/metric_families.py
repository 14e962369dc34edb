"""The numbers that Prometheus is told: their names, types, labels and meanings. docs/how-to/metrics.md has them too."""

from typing import Final, NamedTuple

REMOVED: Final = "removed"
"""Stands for all accounts that are not in the pool any more."""


class Family(NamedTuple):
    """One metric. A counter's name ends in `_total`."""

    bare: str
    kind: str
    labels: tuple[str, ...]
    meaning: str

    @property
    def name(self) -> str:
        """As Prometheus knows it."""
        return f"codex_rotate_{self.bare}"


BUILD: Final = Family("build_info", "gauge", ("version",), "1, with the version that runs.")
TURNS: Final = Family(
    "turns_total",
    "counter",
    ("account", "outcome", "transport"),
    "Turns that are over, by the account that served or was asked last, and how they ended for their client.",
)
FIRST_OUTPUT: Final = Family(
    "first_output_seconds",
    "histogram",
    ("transport",),
    "Seconds from the beginning of a turn to the first output, attempts that failed before included.",
)
ROTATIONS: Final = Family(
    "rotations_total",
    "counter",
    ("account", "reason"),
    "How often another account than before was taken, by the account that served in the end, and what had happened to "
    "the one before.",
)
TOKENS: Final = Family(
    "tokens_total",
    "counter",
    ("account", "type"),
    "Tokens as the provider counts them: `input` that was not cached, `cached_input`, `output` that is no reasoning, "
    "and `reasoning`. Together they are all that turns have taken.",
)
COLD: Final = Family(
    "cold_tokens_total",
    "counter",
    ("account",),
    "Input tokens that were not cached because the account of a conversation had changed. A part of `input`.",
)
REFRESHES: Final = Family(
    "refreshes_total",
    "counter",
    ("account", "outcome"),
    "Renewals of tokens: `renewed`, `failed` for now, or `ended`: that login cannot be renewed any more.",
)
IN_FLIGHT: Final = Family(
    "turns_in_flight", "gauge", ("account",), "Turns under way now, by the account that was asked last."
)
USED: Final = Family(
    "window_used_ratio",
    "gauge",
    ("account", "limit", "window"),
    "How much of a window of an account's limit is used, 0 to 1, as upstream last said.",
)
RESETS: Final = Family(
    "window_reset_timestamp_seconds",
    "gauge",
    ("account", "limit", "window"),
    "When that window is free again, in seconds since the epoch; missing where it is free, or nobody knows.",
)
ACCOUNTS: Final = Family(
    "accounts", "gauge", ("state",), "Accounts of the pool, by the state that `codex-rotate list` shows."
)
FAMILIES: Final = (
    *(BUILD, TURNS, FIRST_OUTPUT, ROTATIONS, TOKENS, COLD, REFRESHES),
    *(IN_FLIGHT, USED, RESETS, ACCOUNTS),
)

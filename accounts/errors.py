"""What can go wrong and what to do about it.

RotateError                      exit code 1
├── UsageError                   exit code 2: the call was wrong
│   ├── AmbiguousAccount
│   ├── InputNeeded          a question came up and nobody is there to answer it
│   ├── LabelTaken
│   └── UnknownAccount
├── NothingUsable                exit code 3: no account, or all of them resting
│   └── NoAccounts
├── BadAuthFile                  a login file that cannot be read
├── StoreError                   the pool's database
│   ├── StoreClosed
│   ├── StoreCorrupt
│   ├── StoreTooNew
│   └── StoreUnusable        the file or its folder refuses: permissions, space, a lock that stays
└── LoginNeeded                  an account whose refresh token is dead

Every message says what happened and ends with what to do next. None carries a token.
"""

from pathlib import Path


class RotateError(Exception):
    """An expected failure: shown as one line, never as a traceback."""

    exit_code = 1


class UsageError(RotateError):
    """The command was called in a way that cannot work."""

    exit_code = 2


class UnknownAccount(UsageError):
    def __init__(self, wanted: str) -> None:
        super().__init__(f"There is no account {wanted!r} in the pool. Run `codex-rotate list` to see the names.")


class AmbiguousAccount(UsageError):
    def __init__(self, wanted: str, names: list[str]) -> None:
        super().__init__(
            f"{wanted!r} could be any of: {', '.join(names)}. Say more of the name, or use its list number."
        )


class LabelTaken(UsageError):
    def __init__(self, label: str) -> None:
        super().__init__(f"Another account is already called {label!r}. Choose another label.")


class InputNeeded(UsageError):
    """A command that has to ask, run where nobody can answer. `option` is what answers beforehand."""

    def __init__(self, question: str, option: str) -> None:
        super().__init__(f"{question} Nobody can answer here: run it again with {option}.")


class NothingUsable(RotateError):
    """There is nothing that could serve a request."""

    exit_code = 3


class NoAccounts(NothingUsable):
    def __init__(self) -> None:
        super().__init__("The pool has no accounts yet. Run `codex-rotate import ~/.codex/auth.json` to add one.")


class BadAuthFile(RotateError):
    """A login file: which file, which field, what to do."""

    def __init__(self, path: Path, trouble: str) -> None:
        super().__init__(f"{path}: {trouble} Nothing was imported. Run `codex login` and try again.")


class StoreError(RotateError):
    """The pool's database cannot be used."""


class StoreCorrupt(StoreError):
    def __init__(self, path: Path, trouble: str) -> None:
        super().__init__(
            f"{path} is not a readable account database ({trouble}). It was left untouched: "
            "move it aside and import the accounts again."
        )


class StoreTooNew(StoreError):
    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(
            f"{path} was written by a newer codex-rotate (schema {found}, this one knows {known}). "
            "It was left untouched: upgrade codex-rotate."
        )


class StoreUnusable(StoreError):
    def __init__(self, path: Path, trouble: str) -> None:
        super().__init__(
            f"{path} cannot be used ({trouble}). Check who may write to its folder and that the disk has room, "
            "or set CODEX_ROTATE_HOME to another folder."
        )


class StoreClosed(StoreError):
    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} was already closed, so this was not saved. Open it again and repeat the change.")


class LoginNeeded(RotateError):
    def __init__(self, label: str) -> None:
        super().__init__(
            f"{label} was signed out by the provider. Run `codex login` with that account, "
            f"then `codex-rotate import ~/.codex/auth.json --label {label}`."
        )

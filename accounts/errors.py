"""What can go wrong and what to do about it.

RotateError (config/errors.py)   exit code 1
├── UsageError                   exit code 2: the call was wrong
│   ├── AmbiguousAccount
│   ├── BadBackupName
│   ├── FileThere            a file that nobody said may be replaced
│   ├── InputNeeded          a question came up and nobody is there to answer it
│   ├── LabelTaken
│   ├── PersonThere          a name that somebody has
│   ├── UnknownAccount
│   ├── UnknownBackup
│   ├── UnknownKey
│   ├── UnknownPerson
│   ├── UnknownSubset        neither an account nor a tag
│   ├── UnsafeBackend        a backend that would carry tokens in the clear
│   └── WouldLoseAccounts    a backup that lacks accounts, restored without agreeing to that
├── AccountBusy                  another process holds an account's tokens
├── NothingUsable                exit code 3: no account, or all of them resting
│   └── NoAccounts
├── BadAuthFile                  a login file that cannot be read
├── ClientFileError              the official client's files, when the pool and they are brought together
│   ├── BadClientFile        one that cannot be understood
│   ├── ClientFileBusy       another program is writing
│   ├── ClientFileChanged    it changed between our reading and our writing
│   ├── ClientFileUnwritable
│   └── StrangerInClientFile a login that only the client has, about to be overwritten
├── CannotExport                 a login that the client would refuse, or a file that cannot be written
├── StoreError                   the pool's database
│   ├── BackupDamaged
│   ├── StoreClosed
│   ├── StoreCorrupt
│   ├── StoreLost            taken away or damaged while it was open
│   ├── StoreTooNew
│   └── StoreUnusable        the file or its folder refuses: permissions, space
│       └── StoreBusy        a lock that stays
├── LoginFailed                  a new login that did not come about; nothing was stored
│   ├── BadCallback          what came back does not answer this login
│   ├── DeviceLoginOff
│   ├── LoginRefused         the provider said no, or nothing
│   ├── LoginTimedOut
│   ├── PortsBusy
│   └── WrongWorkspace
└── LoginNeeded                  an account whose refresh token is dead

Every message says what happened and ends with what to do next. None carries a token.
"""

from collections.abc import Sequence
from pathlib import Path

from accounts.tokens.endings import in_words, is_providers
from config.errors import RotateError


class UsageError(RotateError):
    """The command was called in a way that cannot work."""

    exit_code = 2


class UnknownAccount(UsageError):
    def __init__(self, wanted: str) -> None:
        super().__init__(f"There is no account {wanted!r} in the pool. Run `codex-rotate list` to see the names.")


class UnknownKey(UsageError):
    """`near`: names of keys that are like this one."""

    def __init__(self, name: str, near: Sequence[str] = ()) -> None:
        meant = f" Did you mean {' or '.join(near)}?" if near else ""
        super().__init__(f"There is no key {name!r}.{meant} Run `codex-rotate keys list` to see the names.")


class UnknownPerson(UsageError):
    """`near`: names of people that are like this one."""

    def __init__(self, name: str, near: Sequence[str] = ()) -> None:
        meant = f" Did you mean {' or '.join(near)}?" if near else ""
        super().__init__(
            f"There is nobody called {name!r}.{meant} Run `codex-rotate people list` to see everybody, or "
            "`codex-rotate people add` for somebody new."
        )


class PersonThere(UsageError):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is somebody called {name!r} already. Run `codex-rotate people set {name}` to change what they may "
            "use, or choose another name."
        )


class UnknownSubset(UsageError):
    """What shall be an account or a tag, and is neither; `near` are names that are like it."""

    def __init__(self, name: str, near: Sequence[str] = ()) -> None:
        meant = f" Did you mean {' or '.join(near)}?" if near else ""
        super().__init__(
            f"{name!r} is neither an account nor a tag of one.{meant} Run `codex-rotate list` to see them, or say all."
        )


class AmbiguousAccount(UsageError):
    def __init__(self, wanted: str, names: list[str]) -> None:
        super().__init__(
            f"{wanted!r} could be any of: {', '.join(names)}. Say more of the name, or use its list number."
        )


class LabelTaken(UsageError):
    def __init__(self, label: str) -> None:
        super().__init__(f"Another account is already called {label!r}. Choose another label.")


class BadBackupName(UsageError):
    def __init__(self, name: str, trouble: str) -> None:
        super().__init__(f"{name!r} cannot be the name of a backup: {trouble}. Choose another name.")


class UnknownBackup(UsageError):
    def __init__(self, wanted: str) -> None:
        super().__init__(f"There is no backup {wanted!r}. Run `codex-rotate backup list` to see the names.")


class WouldLoseAccounts(UsageError):
    """Accounts of the pool that are not in the backup, and nobody agreed to lose them."""

    def __init__(self, name: str, labels: list[str]) -> None:
        super().__init__(
            f"Not in the backup {name!r}, and would be removed: {', '.join(labels)}. Nothing was changed. "
            "Run it again, and agree or add --yes."
        )


class InputNeeded(UsageError):
    """A command that has to ask, run where nobody can answer. `option` is what answers beforehand."""

    def __init__(self, question: str, option: str) -> None:
        super().__init__(f"{question} Nobody can answer here: run it again with {option}.")


class AccountBusy(RotateError):
    def __init__(self) -> None:
        super().__init__(
            "Another process is refreshing this account's tokens at the moment. Nothing was changed: "
            "try again in a few seconds."
        )


class NothingUsable(RotateError):
    """There is nothing that could serve a request."""

    exit_code = 3


class NoAccounts(NothingUsable):
    """`backups`: there are some, so that there may have been accounts."""

    def __init__(self, *, backups: bool = False) -> None:
        there_were = (
            "If there were some, bring them back: `codex-rotate backup list`, `codex-rotate backup restore NAME`."
        )
        super().__init__(
            "The pool has no accounts yet. Run `codex-rotate login` or `codex-rotate import FILE` to add one."
            + (f" {there_were}" if backups else "")
        )


class BadAuthFile(RotateError):
    """A login file: which file, which field, what to do."""

    def __init__(self, path: Path, trouble: str, remedy: str = "Run `codex login` and try again.") -> None:
        super().__init__(f"{path}: {trouble} Nothing was imported. {remedy}")
        self.trouble = f"{path}: {trouble}"
        """The same without the remedy, for one file among many."""


class VirtualLoginFile(BadAuthFile):
    """The login in a file is one of ours, with which nobody could be served."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path,
            "it is a login that `codex-rotate people login` has made: it is for somebody's client, and no account.",
            "Import the login of an account.",
        )


class ClientFileError(RotateError):
    """The official client's files and the pool could not be brought together."""


class BadClientFile(ClientFileError):
    """A file of the client's: which file, which field, what to do."""

    def __init__(self, path: Path, trouble: str) -> None:
        super().__init__(
            f"{path}: {trouble} Nothing was changed. Correct the file, or move it aside and run `codex login`."
        )


class ClientFileBusy(ClientFileError):
    def __init__(self, path: Path, lock: Path) -> None:
        super().__init__(f"Another program is writing {path} (it holds {lock}). Nothing was written. Try again soon.")


class ClientFileChanged(ClientFileError):
    def __init__(self, path: Path) -> None:
        super().__init__(f"Another program changed {path} just now. It was left as it is. Run the command again.")


class ClientFileUnwritable(ClientFileError):
    def __init__(self, path: Path, trouble: str) -> None:
        super().__init__(
            f"{path} could not be written ({trouble}). It was left as it is. Close programs that have it open, "
            "check who may write to its folder and that the disk has room, and run the command again."
        )


class StrangerInClientFile(ClientFileError):
    def __init__(self, path: Path, name: str) -> None:
        super().__init__(
            f"{path} holds the login of {name}, which is not in the pool and would be lost. Nothing was written. "
            "Run `codex-rotate sync pull` first."
        )


class CannotExport(RotateError):
    """A login that cannot be written where it was asked for."""


class FileThere(UsageError):
    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is there already and was left as it is. Add --force to replace it.")


class UnsafeBackend(UsageError):
    def __init__(self, address: str) -> None:
        super().__init__(
            f"{address} is neither https nor on this machine, so no token is sent there. Correct chatgpt_base_url."
        )


class StoreError(RotateError):
    """The pool's database cannot be used."""


class StoreCorrupt(StoreError):
    def __init__(self, path: Path, trouble: str) -> None:
        super().__init__(
            f"{path} is not a readable account database ({trouble}). It was left untouched: move it aside, with "
            "what lies beside it under its name, then bring a backup back (`codex-rotate backup list`, `codex-rotate "
            "backup restore NAME`) or import the accounts again."
        )


class StoreLost(StoreError):
    """`trouble` is the rest of a sentence about the file."""

    def __init__(self, path: Path, trouble: str) -> None:
        super().__init__(
            f"{path} {trouble}. Put it back, or move aside what is there and bring a backup back (`codex-rotate backup "
            "list`, `codex-rotate backup restore NAME`)."
        )


class BackupDamaged(StoreError):
    def __init__(self, path: Path, trouble: str) -> None:
        super().__init__(
            f"{path} is not a usable backup ({trouble}). Nothing was changed: choose another one from "
            "`codex-rotate backup list`."
        )


class StoreTooNew(StoreError):
    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(
            f"{path} was written by a newer codex-rotate (schema {found}, this one knows {known}). "
            "It was left untouched: upgrade codex-rotate."
        )


class StoreUnusable(StoreError):
    """`remedy` is a sentence, where it is known what refuses."""

    def __init__(self, path: Path, trouble: str, remedy: str = "") -> None:
        super().__init__(
            f"{path} cannot be used ({trouble}). "
            + (
                remedy
                or "Check who may write to its folder and that the disk has room, or set CODEX_ROTATE_HOME to another "
                "folder."
            )
        )


class StoreBusy(StoreUnusable):
    def __init__(self, path: Path) -> None:
        StoreError.__init__(
            self,
            f"{path} is being written by another process, for longer than usual. Nothing was changed: try again, "
            "and end that process if it hangs.",
        )


class StoreClosed(StoreError):
    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} was already closed, so this was not saved. Open it again and repeat the change.")


class LoginNeeded(RotateError):
    """`reason` is what ended its login (accounts/tokens/endings.py), "" where nobody knows."""

    def __init__(self, label: str, reason: str = "") -> None:
        said = f"needs a login: {in_words(reason)}" if reason else "needs a login"
        why = "was signed out by the provider" if is_providers(reason) else said
        super().__init__(f"{label} {why}. Run `codex-rotate login` with that account: it is renewed in its place.")


class LoginFailed(RotateError):
    """A new login that did not come about; the pool is as it was."""


class BadCallback(LoginFailed):
    def __init__(self, trouble: str) -> None:
        self.trouble = trouble
        super().__init__(
            f"That does not answer this login: {trouble}. Run `codex-rotate login` again, "
            "and use the address that the browser ends at."
        )


class LoginRefused(LoginFailed):
    """`trouble` is a status or a word of the provider's, never its text."""

    def __init__(self, trouble: str) -> None:
        self.trouble = trouble
        said = f" ({trouble})" if trouble else ""
        super().__init__(f"The provider did not log this account in{said}. Run `codex-rotate login` again.")


class LoginTimedOut(LoginFailed):
    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"Nobody finished the login within {seconds / 60:.0f} minutes. Run `codex-rotate login` again."
        )


class PortsBusy(LoginFailed):
    def __init__(self, ports: Sequence[int]) -> None:
        super().__init__(
            f"The browser has to come back to port {' or '.join(map(str, ports))} of this machine, and other programs "
            "have them. Run `codex-rotate login --device`, or stop the other login first."
        )


class DeviceLoginOff(LoginFailed):
    def __init__(self) -> None:
        super().__init__(
            "The provider does not offer device login to this account. Allow it in ChatGPT under Settings, Security, "
            "or run `codex-rotate login` or `codex-rotate login --manual`."
        )


class WrongWorkspace(LoginFailed):
    def __init__(self, wanted: str, got: str) -> None:
        super().__init__(
            f"The login was for the workspace {got}, not {wanted}, so nothing was stored. "
            "Run `codex-rotate login` again and choose that workspace in the browser."
        )

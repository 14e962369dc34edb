"""What can go wrong with the certificate authority, and what to do about it.

CaError                          a RotateError (config/errors.py), exit code 1
├── CaThere                  exit code 2: `create` where there is one already
├── CaMissing                there is none
├── CaUnfit                  there is one that cannot be used: which file, what is wrong with it
├── CaUnreachable            the folder refuses: permissions, space
├── CaBusy                   another process is making or renewing it
├── TrustStoreError          a trust store (certs/stores*.py) could not be read or changed
│   ├── NoStore              this system has none of the kind that was asked for
│   ├── ToolMissing          which package has the program that it needs
│   ├── NeedsRoot            the commands for whoever may
│   ├── ToolFailed           which command failed, and what it said
│   ├── StoreUnreachable     a file of the store refuses: permissions, space
│   ├── NotTrusted           every command succeeded, and the certificate is not there
│   └── StillTrusted         every command succeeded, and the certificate is there all the same
├── in certs/bundles.py: NoRoots, BundleUnwritable
├── in certs/debug_ca.py: NoDebugCa
└── in certs/environment.py: BadProxyAddress, NoCaCertificate

Every message says what happened and ends with what to do next. None carries key material.
"""

from pathlib import Path

from config.errors import RotateError


class CaError(RotateError):
    """What was asked of the authority, or of a trust store, did not come about."""


class CaThere(CaError):
    exit_code = 2

    def __init__(self, folder: Path, what: str, remedy: str) -> None:
        super().__init__(f"{folder} holds {what} already, and `create` never replaces anything. {remedy}")


class CaMissing(CaError):
    def __init__(self, folder: Path) -> None:
        super().__init__(f"There is no CA in {folder} yet. Run `codex-rotate ca create` to make one.")


class CaUnfit(CaError):
    """`trouble` names the file, what is wrong with it and what to do."""

    def __init__(self, trouble: str) -> None:
        super().__init__(trouble)


class CaUnreachable(CaError):
    """`remedy` is a sentence, where it is known what refuses."""

    def __init__(self, path: Path, trouble: str, remedy: str = "") -> None:
        super().__init__(
            f"{path} cannot be used ({trouble}). "
            + (
                remedy
                or "Check who may read and write it and its folder and that the disk has room, or set "
                "CODEX_ROTATE_HOME to another folder."
            )
        )


class CaBusy(CaError):
    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"Another process is making or renewing the CA in {folder}, for longer than usual. Nothing was changed: "
            "try again, and end that process if it hangs."
        )


class TrustStoreError(CaError):
    """One store; what others hold is as it was."""


class NoStore(TrustStoreError):
    """`trouble` says what is missing, `remedy` what works instead."""

    def __init__(self, trouble: str, remedy: str) -> None:
        super().__init__(f"{trouble}. {remedy}")


class ToolMissing(TrustStoreError):
    def __init__(self, tool: str, store: str, remedy: str) -> None:
        super().__init__(f"{store} is read and changed with {tool}, which is not installed. {remedy}")


class NeedsRoot(TrustStoreError):
    def __init__(self, store: str, command: str) -> None:
        super().__init__(
            f"{store} belongs to root, and codex-rotate never takes more rights than it was given. Nothing was "
            f"changed. Run: {command}"
        )


class ToolFailed(TrustStoreError):
    """`code` is None for a program that did not end in time."""

    def __init__(self, command: str, code: int | None, said: str, remedy: str = "") -> None:
        words = " / ".join(line.strip() for line in said.splitlines() if line.strip())[-500:]
        ended = "did not end in time" if code is None else f"failed with exit code {code}"
        remedy = remedy or "Mend that, or change the store by hand, and run the command again."
        super().__init__(f"`{command}` {ended} and said: {words or 'nothing'}. {remedy}")


class StoreUnreachable(TrustStoreError):
    def __init__(self, path: Path, trouble: str) -> None:
        super().__init__(
            f"{path} cannot be used ({trouble}). Check who may read and write it and its folder and that the disk has "
            "room, then run the command again."
        )


class NotTrusted(TrustStoreError):
    def __init__(self, name: str, store: str, remedy: str) -> None:
        super().__init__(f"{name} is not trusted by {store}, although every command for that succeeded. {remedy}")


class StillTrusted(TrustStoreError):
    def __init__(self, names: str, store: str, remedy: str) -> None:
        super().__init__(f"{names} is still in {store}, although every command for that succeeded. {remedy}")

"""What can go wrong with the certificate authority, and what to do about it.

CaError                          exit code 1
├── CaThere                  exit code 2: `create` where there is one already
├── CaMissing                there is none
├── CaUnfit                  there is one that cannot be used: which file, what is wrong with it
├── CaUnreachable            the folder refuses: permissions, space
├── CaBusy                   another process is making or renewing it
└── in certs/environment.py: BadProxyAddress, NoCaCertificate, NoRoots, BundleUnwritable

Every message says what happened and ends with what to do next. None carries key material.
"""

from pathlib import Path


class CaError(Exception):
    """An expected failure: shown as one line, never as a traceback."""

    exit_code = 1


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
    def __init__(self, path: Path, trouble: str) -> None:
        super().__init__(
            f"{path} cannot be used ({trouble}). Check who may read and write it and its folder and that the disk has "
            "room, or set CODEX_ROTATE_HOME to another folder."
        )


class CaBusy(CaError):
    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"Another process is making or renewing the CA in {folder}, for longer than usual. Nothing was changed: "
            "try again, and end that process if it hangs."
        )

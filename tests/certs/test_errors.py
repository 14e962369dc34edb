"""Every expected failure of the CA is one line that ends with what to do, and has an exit code."""

from pathlib import Path

import pytest

from certs.errors import CaBusy, CaError, CaMissing, CaThere, CaUnfit, CaUnreachable

FOLDER = Path("somewhere") / "ca"


@pytest.mark.parametrize(
    ("error", "code", "remedy"),
    [
        (CaThere(FOLDER, "a CA", "Use it as it is."), 2, "Use it as it is."),
        (CaMissing(FOLDER), 1, "Run `codex-rotate ca create` to make one."),
        (CaUnfit(f"{FOLDER} is damaged. Replace it."), 1, "Replace it."),
        (CaUnreachable(FOLDER, "Permission denied"), 1, "or set CODEX_ROTATE_HOME to another folder."),
        (CaBusy(FOLDER), 1, "try again, and end that process if it hangs."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, CaError) else "",
)
def test_what_happened_where_and_what_to_do(error: CaError, code: int, remedy: str) -> None:
    assert str(FOLDER) in str(error)
    assert str(error).endswith(remedy)
    assert "\n" not in str(error)
    assert error.exit_code == code

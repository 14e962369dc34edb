"""Which shell is written for: that of the login, or none is guessed."""

import pytest

from accounts.errors import UsageError
from cli.ui.shells import Shell, shell_of


@pytest.mark.parametrize(
    ("login", "system", "shell"),
    [
        ("/bin/bash", "posix", Shell.BASH),
        ("/bin/sh", "posix", Shell.BASH),
        ("/usr/bin/zsh", "posix", Shell.ZSH),
        ("/usr/local/bin/fish", "posix", Shell.FISH),
        ("/opt/pwsh", "posix", Shell.POWERSHELL),
        ("", "posix", Shell.BASH),
        ("", "nt", Shell.POWERSHELL),
        ("/usr/bin/bash.exe", "nt", Shell.BASH),
    ],
)
def test_the_shell_is_that_of_the_login(login: str, system: str, shell: Shell) -> None:
    assert shell_of({"SHELL": login} if login else {}, system) is shell


def test_a_shell_that_is_not_known_is_not_guessed() -> None:
    with pytest.raises(UsageError, match="--shell"):
        shell_of({"SHELL": "/bin/tcsh"}, "posix")

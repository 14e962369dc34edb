"""The root of all expected failures, and what is wrong with what a user has set."""


class RotateError(Exception):
    """An expected failure: shown as one line, never as a traceback. The message says what happened and ends with what
    to do next; it carries no secret. `exit_code` is the command's."""

    exit_code = 1


class ConfigError(RotateError):
    """A setting or variable that cannot be used: which one, what is wrong, what to do."""

    exit_code = 2

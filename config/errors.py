"""What is wrong with what a user has set."""


class ConfigError(Exception):
    """A setting or variable that cannot be used: which one, what is wrong, what to do. The CLI shows it as one line."""

    exit_code = 2

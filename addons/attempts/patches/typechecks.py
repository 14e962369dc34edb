"""Leaves out a check that mitmproxy has for its developers."""

from mitmproxy import http


def skip_message_typechecks() -> None:
    """In this process: without `python -O` mitmproxy looks at the types of each message that is made. A None leaves an
    exception behind that holds the frames of all callers, and so flows and bodies, until the garbage collector comes:
    with large bodies a hundred megabytes of them.
    """
    http.MessageData.__post_init__ = _unchecked  # type: ignore[method-assign]


def _unchecked(_: http.MessageData) -> None:
    """As with `python -O`, which as a whole mitmproxy does not stand: it reads flows inside `assert`."""

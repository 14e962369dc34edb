"""A rehearsal in which the client has asked."""

from mitmproxy.options import Options

from addons.attempts.selftest import ASK, Rehearsal, Script


def asked(
    options: Options, script: Script | None, refuse: frozenset[int] = frozenset(), alpn: bytes | None = None
) -> Rehearsal:
    rehearsal = Rehearsal(options, script, refuse)
    rehearsal.alpn = alpn
    rehearsal.says(rehearsal.client, ASK)
    return rehearsal

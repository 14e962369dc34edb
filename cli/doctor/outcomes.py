"""`doctor`: what the two requests through the proxy mean, in words."""

from typing import Final

from cli.doctor import tls
from cli.doctor.finding import Finding, Findings, Severity, note, ok, problem, told, warning
from cli.doctor.probe import UNTRUSTED, Probe, ProbeReply

SKEW_SECONDS: Final = 120.0
"""Tokens are renewed minutes before their end, so that half of that does no harm."""
LIST: Final = "Run `codex-rotate list` to see what each account needs."
LOG: Final = "Run `codex-rotate serve` in a terminal and look at what it says, then run this again."

ASK_OWNER: Final = "Ask its owner for a key file, and run `codex-rotate join FILE` with it."

type Row = tuple[Severity, str, str]

CODES: Final[dict[str, Row]] = {
    UNTRUSTED: (Severity.PROBLEM, "the proxy's certificate is not the one that clients are told to trust",
                "Restart the proxy, and run `codex-rotate ca status`."),
    "codex_rotate_no_account": (Severity.PROBLEM, "no account of the pool can serve", LIST),
    "codex_rotate_signed_out": (Severity.PROBLEM, "the provider signed out several accounts in a row", LIST),
    "codex_rotate_pinned": (Severity.PROBLEM, "the only account that may serve cannot",
                            "Unset `pinned_account`, or wait."),
    "codex_rotate_reserved": (Severity.WARNING, "what is left of the quota is reserved for its owners",
                              "Lower the reserve, or wait."),
    "codex_rotate_model": (Severity.WARNING, "no account may use that model", "Add an account of a larger plan."),
    "codex_rotate_try_again": (Severity.WARNING, "every account is at a limit for a short while",
                               "Wait: `codex-rotate status` says until when."),
    "usage_limit_reached": (Severity.WARNING, "every account is at its limit",
                            "Wait: `codex-rotate status` says until when."),
    "codex_rotate_upstream_unreachable": (Severity.PROBLEM, "the proxy got no answer from the provider",
                                          "Check the network, and behind a company's proxy `upstream_proxy`."),
    "codex_rotate_defect": (Severity.PROBLEM, "the proxy has a defect and sent nothing on", LOG),
    "codex_rotate_key_unknown": (Severity.PROBLEM, "the proxy does not know the key", ASK_OWNER),
    "codex_rotate_key_removed": (Severity.PROBLEM, "the proxy's owner has taken the key back", ASK_OWNER),
    "codex_rotate_key_expired": (Severity.PROBLEM, "the key has expired", ASK_OWNER),
    "codex_rotate_person_paused": (Severity.PROBLEM, "the person whose key it is has been paused", ASK_OWNER),
    "codex_rotate_person": (Severity.PROBLEM, "no account that this person may use can serve", LIST),
    "codex_rotate_other_user": (Severity.PROBLEM, "the proxy serves the user who runs it only", ASK_OWNER),
    "codex_rotate_user_untold": (Severity.PROBLEM, "the proxy wants a client key, as this system tells no users apart",
                                 "Run `codex-rotate keys add NAME`, which makes one for our own commands too."),
    "codex_rotate_key_needed": (Severity.PROBLEM, "the proxy wants a client key",
                                "Run `codex-rotate keys add NAME`, which makes one for our own commands too."),
}  # fmt: skip
"""By the code in a refusal: those of our own first of all."""

STATUSES: Final[dict[int, Row]] = {
    401: (Severity.PROBLEM, "the provider refused the account's token", "Run `codex-rotate verify --all`."),
    403: (Severity.PROBLEM, "the provider, or a wall before it, let the account not through",
          "Run `codex-rotate verify --all`; if that works, try another network."),
    404: (Severity.WARNING, "the provider has nothing at the address that the client uses",
          "Update codex-rotate and the client."),
    407: (Severity.PROBLEM, "the proxy wants a client key or, behind it, a company's proxy a password",
          "Run `codex-rotate keys list`, and check `upstream_proxy` in config.toml."),
    429: (Severity.WARNING, "the provider wants fewer requests", "Wait a few minutes and run this again."),
}  # fmt: skip


def reached(probe: Probe) -> Findings:
    if probe.skipped:
        yield told("probe.proxy", probe.skipped, Severity.PROBLEM if probe.broken else Severity.NOTE)
    elif probe.started:
        yield ok("probe.proxy", f"A proxy was started at {probe.where} for this, as `run` does, and ends by itself.")
    else:
        yield ok("probe.proxy", f"Tried through the proxy at {probe.where}.")


def catalogue(probe: Probe) -> Findings:
    if probe.catalogue is not None:
        yield _judged("probe.models", "The list of models", probe.catalogue, probe)


def socket(probe: Probe) -> Findings:
    reply = probe.socket
    if reply is None:
        return
    if reply.status == 101 and probe.catalogue is not None and probe.catalogue.status >= 400:
        yield ok("probe.websocket", "The proxy accepts a WebSocket; what the model's side says of it was not asked.")
    elif reply.status == 101:
        yield ok("probe.websocket", f"A WebSocket to the model opens, in {reply.seconds:.1f} s{_by(reply)}.")
    elif reply.status == 426:
        what = "A WebSocket is answered with 426, on which the client goes on over HTTP at once."
        yield note("probe.websocket", what, "Nothing has to be done if `rotate_transport` is sse on purpose.")
    elif reply.status == 200:
        what = "A WebSocket was answered with 200: something on the way does not let upgrades through."
        yield warning("probe.websocket", what, "The client goes on over HTTP after a while; ask who runs the network.")
    else:
        yield _judged("probe.websocket", "A WebSocket to the model", reply, probe)


def clock(probe: Probe) -> Findings:
    """The clock of this machine against the one of whoever answered."""
    reply = probe.catalogue
    if reply is None or reply.date is None:
        return
    skew = reply.at - reply.date
    if abs(skew) > SKEW_SECONDS:
        where = "ahead" if skew > 0 else "behind"
        what = f"This machine's clock is {_span(skew)} {where}, so that tokens and limits end when they should not."
        yield problem("clock.skew", what, "Set the clock, best by network time.")
    else:
        yield ok("clock.skew", "This machine's clock is right.")


def _judged(name: str, what: str, reply: ProbeReply, probe: Probe) -> Finding:
    if 200 <= reply.status < 300:
        return ok(name, f"{what} came through the pool in {reply.seconds:.1f} s{_by(reply)}.")
    if reply.tls:
        meaning, remedy = tls.meaning(reply.tls, probe.shown, probe.settings)
        return problem(name, f"{what} did not come. {meaning}.", remedy)
    state, meaning, remedy = _row(reply)
    told = f"{reply.status} {reply.code}".strip() if reply.status else reply.code
    sentence = f"{what} did not come: {meaning} ({told}, after {reply.seconds:.1f} s){_by(reply)}."
    return Finding(name=name, state=state, what=sentence, remedy=remedy)


def _row(reply: ProbeReply) -> Row:
    if reply.code in CODES:
        return CODES[reply.code]
    if reply.status in STATUSES:
        return STATUSES[reply.status]
    if reply.status >= 500:
        return Severity.WARNING, "the provider has trouble of its own", "Wait a few minutes and run this again."
    if reply.status == 0:
        return Severity.PROBLEM, "no answer came through the proxy", LOG
    return Severity.WARNING, "the answer is one that was not expected", "Update codex-rotate and the client."


def _by(reply: ProbeReply) -> str:
    return f"; asked were: {', then '.join(reply.trail)}" if reply.trail else ""


def _span(seconds: float) -> str:
    minutes = abs(seconds) / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"

# ruff: noqa: INP001 - scripts/ holds programs
"""What docs/reference/ says and the code does not say by itself: the meanings of events, outcomes and exit codes."""

from collections.abc import Mapping
from typing import Final

EVENTS: Final[Mapping[str, str]] = {
    "decision": "How a request was served: the model, what became of it, each account that was asked and what it said.",
    "imported": "An account came into the pool: by `import`, `login` or `sync pull`.",
    "kept": "A login that was offered is older than the one the pool has, which stayed.",
    "renewed": "A newer login of an account replaced the one the pool had.",
    "refreshed": "The tokens of an account were renewed at the provider.",
    "renewal_ended": "An account's login cannot be renewed any more; the detail says why. It serves until its access "
    "token ends.",
    "login_ended": "The last token of such an account is over: it needs `codex-rotate login`.",
    "verified": "`verify`, `check` or a running proxy asked the provider about an account; the detail is the answer.",
    "recovered": "The provider said that an account is well which was marked as closed, or as in need of a login.",
    "pushed": "`sync push` made an account the official client's login.",
    "unsealed": "A turn was sent once more without reasoning that another account had sealed.",
    "removed": "`remove` forgot an account.",
    "logged_out": "`logout` deleted the login of an account.",
    "restored": "The pool was brought back from a backup.",
    "rest_ended": "`codex-rotate fix`, or somebody on the page, in `top` or in mitmproxy's palette, ended a rest.",
    "rest_restored": "Somebody took back the end of an account's rest, on the page or in `top`.",
    "chosen": "`use` made an account the only one for everybody.",
    "choice_ended": "`use --auto` ended the choice of one account for everybody.",
    "person_added": "`people add` let somebody use the pool; the detail is their name.",
    "person_changed": "`people set`, `pause` or `resume` changed what somebody may use; the detail is who and what.",
    "person_removed": "`people remove` forgot somebody and took their keys back; the detail is their name.",
    "key_shared": "A key of a client was shown from two places within ten minutes; the detail is its name and where.",
    "paused": "`pause` took an account out of service.",
    "resumed": "`resume` brought an account back.",
    "relabelled": "`label` gave an account another name; the detail is the old one.",
    "tags_changed": "`tag` changed the tags of an account.",
    "priority_changed": "`priority` changed which accounts come first.",
    "reserve_changed": "`reserve` changed how much of an account's windows is left to its owner.",
}
"""What each kind of event in the history means, beside the outcomes."""

OUTCOMES: Final[Mapping[str, str]] = {
    "ok": "An answer came.",
    "upgraded": "A WebSocket was opened. Limits arrive inside it.",
    "usage_limit": "The account is at the limit of a window.",
    "no_credit": "The account has no credit, or its plan does not include this.",
    "burst_limit": "Asked too often within a short time.",
    "overloaded": "Upstream is overloaded.",
    "server_error": "Upstream failed with a 5xx.",
    "head_timeout": "The answer did not begin within `rotate_head_timeout`, as long as the client itself waits. Slow "
    "is not dead: nobody rests for it.",
    "connect_failed": "No connection to upstream came about.",
    "proxy_failed": "The company's proxy (`upstream_proxy`) gave no connection.",
    "no_descriptors": "The proxy has as many files and connections open as the system lets it (`ulimit -n`).",
    "reset": "The connection was reset before an answer.",
    "stalled": "The answer began and then nothing came.",
    "truncated": "The answer ended before it was complete.",
    "failed_in_stream": "The answer's stream said that it failed, before any output.",
    "failed_after_output": "The same after the first output: the client has seen it.",
    "token_expired": "401: the token is renewed and the same account asked again.",
    "token_invalidated": "401: the provider has signed the account out. It needs `codex-rotate login`.",
    "refresh_failed": "The token could not be renewed this time. It is tried again later.",
    "deactivated": "The account or its workspace was closed.",
    "challenge": "A page for browsers instead of an answer. Another account is asked; if it gets one too, the client "
    "does.",
    "forbidden": "403 of another kind; handled like that.",
    "unexplained": "A 4xx without a code of upstream's own that would say whether the request or the account is meant; "
    "handled like that.",
    "refused_alone": "What was one of these three, once another account has served the same conversation.",
    "payment_required": "402 without upstream's own code for a closed account.",
    "no_answer": "A success by its status, but no answer: empty, a page, a redirect.",
    "stale_connection": "A connection that was kept had been closed by upstream: the request was read by nobody.",
    "socket_closed": "Upstream closed the WebSocket before it had said anything.",
    "message_too_large": "Upstream takes no WebSocket message that large: the conversation goes on over HTTP.",
    "unsupported_model": "The account may not use this model.",
    "invalid_encrypted_content": "The account cannot read reasoning that another one has sealed.",
    "previous_response_not_found": "Upstream does not know the answer that the request goes on from.",
    "upgrade_refused": "Upstream wants no WebSocket; the client goes on over HTTP.",
    "request_fault": "Upstream found a fault in the request itself.",
    "client_gone": "The client went away first.",
}
"""What each outcome of an attempt means."""

ACTIONS: Final[Mapping[str, str]] = {
    "deliver": "the client gets it",
    "refresh": "renew the token, ask the same account",
    "retry_other": "ask another account",
    "retry_same": "wait a moment, ask the same account",
    "ask_another": "ask one other account; what both say is the client's",
    "resend": "ask the same account once more, at once",
    "unseal": "leave those items out, ask once more",
}

RULED_OUT: Final[Mapping[str, tuple[str, str]]] = {
    "model_not_allowed": (
        "The person may not use the model that the request names.",
        "m-large is not among the models that ann may use: m-small*",
    ),
    "token_budget": (
        "The person's tokens of a period are used up.",
        "ann has used the 2M tokens of today; more at 00:00 Europe/Berlin",
    ),
    "turn_budget": (
        "The person's turns of a period are used up.",
        "ann has used the 200 turns of today; more at 00:00 Europe/Berlin",
    ),
    "share_budget": (
        "The person's share of the pool's scarcest window is used up.",
        "ann has used their 30 % of the pool's weekly limit; more on Mon 09:00 Europe/Berlin",
    ),
    "at_once": (
        "The person has as many turns under way as they may, and none of them ended within 20 s.",
        "ann has 4 turns under way already, as many as may be at once; more when one is over",
    ),
    "fair_share": (
        "The pool is close to its limits, others who have had less are at work, and that has been so for 60 s.",
        "ann has had more than others who are at work, and what is left of the pool is theirs; more at 14:05 UTC",
    ),
}
"""The rules of the pool's owner that refuse a person's turn: when, and with which sentence, for example."""

REFUSALS: Final[Mapping[str, str]] = {
    "key_needed": "The proxy serves clients with a key only, and the client showed none: there are keys in the pool, "
    "or the client is on another machine.",
    "key_unknown": "The client showed a key that the pool does not know.",
    "key_removed": "The client showed a key that was taken back while the proxy ran.",
    "key_expired": "The client showed a key that was made for a time which is over.",
    "person_paused": "The client showed the key of a person who is paused.",
    "other_user": "The client is another user's than the proxy, on the same machine, and showed no key.",
    "user_untold": "The client is on the same machine, the system does not say whose it is, and it showed no key.",
}
"""Why a client may not use the proxy. With 407 where it asks something of the proxy itself or for another host."""

EXIT_CODES: Final[Mapping[int, str]] = {
    0: "Done.",
    1: "Failed: what happened, and what to do next, is on stderr.",
    2: "Wrong usage: an option, a name or a setting that cannot be meant.",
    3: "Nothing usable: the pool has no account, or none that can serve; for `stop`, no proxy runs.",
    126: "`run`: the client's program cannot be started.",
    127: "`run`: the client's program was not found.",
    130: "Ended with Ctrl-C.",
}

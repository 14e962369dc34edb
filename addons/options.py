"""The options of the proxy, `--set rotate_…`. mitmproxy copies a value at each look; requests look at `Chosen`."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final, Self

from mitmproxy.addonmanager import AddonManager, Loader
from mitmproxy.options import Options

from accounts.requests.response_chain import MOST_BYTES
from accounts.turn.state import CLIENT_SECONDS
from addons import watching

MEANINGS: Final[Mapping[str, str]] = {
    "rotate_transport": "How the client may talk to the Responses API: auto leaves it the choice, sse answers its "
    "WebSocket upgrades with 426 so that it uses server-sent events over HTTP.",
    "rotate_redact": "Keep the client's own tokens and cookies, e-mail addresses and ids of accounts out of what is "
    "shown, logged and saved. The tokens of managed accounts are never in a flow, whatever this says.",
    "rotate_everyone_here": "Serve every user of this machine, and not the user who runs the proxy only. With client "
    "keys in the pool everybody needs one all the same.",
    "rotate_allow_insecure": "With mitmproxy's ssl_insecure, send the tokens of accounts to servers on other machines "
    "too, which nobody has verified. false: to this machine only.",
    "rotate_head_timeout": "Seconds an account gets to begin its answer before another one is asked.",
    "rotate_stall_timeout": "Seconds of silence within an answer after which another account goes on with it, if one "
    "can. The client itself gives up after 300.",
    "rotate_chain_bytes": "How many bytes of a WebSocket's conversation are held, so that another account can take it "
    "over without the client being told to reconnect.",
    "rotate_keep_flows": "How many flows mitmweb and the console keep; older ones go, unless somebody has marked them. "
    "0: all.",
    "rotate_capture_limit": "How many bytes of an answer that streams past are kept in its flow, to be looked at or "
    "saved; 0: none.",
    "rotate_metrics_anonymous": "Name accounts by numbers in /metrics (seat-1, seat-2), and not by their labels.",
    "rotate_hook_index": "Call a hook of those addons only that have it, and make messages without a check of their "
    "types: less CPU. false leaves mitmproxy as it is. Looked at when the proxy starts.",
    "rotate_page": "Where the page of this proxy is, such as 127.0.0.1:8119; auto takes that or the next free port. "
    "Empty: no page. Looked at when the proxy starts; `codex-rotate open` opens it.",
}
CHOICES: Final = {"rotate_transport": ("auto", "sse")}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenOptions:
    """What is set now; the values here are the options' defaults."""

    rotate_transport: str = "auto"
    rotate_redact: bool = True
    rotate_everyone_here: bool = False
    rotate_allow_insecure: bool = False
    rotate_head_timeout: int = int(CLIENT_SECONDS)
    rotate_stall_timeout: int = int(CLIENT_SECONDS) - 30
    rotate_chain_bytes: int = MOST_BYTES
    rotate_keep_flows: int = 2000
    rotate_capture_limit: int = 2 * 1024 * 1024
    rotate_metrics_anonymous: bool = False
    rotate_hook_index: bool = True
    rotate_page: str = ""

    watched: bool = True
    """Whether anybody can see headers and bodies of flows."""

    @classmethod
    def of(cls, options: Options, addons: AddonManager) -> Self:
        """As far as options are known: mitmproxy configures addons while it still adds them."""
        known = {name: getattr(options, name) for name in MEANINGS if name in options}
        return cls(**known, watched=watching.anybody(addons, options))


def wrong_choice(options: Options) -> str:
    """What is wrong with an option that has only certain values, which mitmproxy does not look at; "" for nothing."""
    for name, allowed in CHOICES.items():
        if name in options and getattr(options, name) not in allowed:
            return f"{name} is {getattr(options, name)!r}, and can be {' or '.join(allowed)} only."
    return ""


def add_to(loader: Loader) -> None:
    defaults = {each.name: each.default for each in fields(ChosenOptions)}
    for name, meaning in MEANINGS.items():
        loader.add_option(name, type(defaults[name]), defaults[name], meaning, choices=CHOICES.get(name))

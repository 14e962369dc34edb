"""What can be asked of this program, in panels: each is a folder here, each command a module in it, with one line of
help.

To add a command: a module with `add_to(app)` in the folder of its panel, its line below, and its examples in
cli/ui/examples.py.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Panel(NamedTuple):
    """A heading of `--help`, and the modules of its folder with the commands that each adds and a line about them."""

    heading: str
    modules: Mapping[str, Mapping[str, str]]


PANELS: Final[Mapping[str, Panel]] = {
    "use": Panel(
        "Use it",
        {
            "run": {"run": "Start a client behind the proxy, and the proxy if none runs."},
            "serve": {"serve": "Run the proxy until Ctrl-C, with a line for each turn."},
            "stop": {"stop": "End proxies, after the turns that run."},
            "use": {"use": "Let everybody use one account only, until changed."},
        },
    ),
    "accounts": Panel(
        "Accounts",
        {
            "login": {"login": "Log an account in and add it to the pool."},
            "transfer": {
                "import": "Add the accounts of login files to the pool.",
                "export": "Write an account's login for the official client.",
            },
            "check": {"check": "Ask the provider how accounts are doing now."},
            "verify": {"verify": "Ask the provider whether accounts can be used."},
            "change": {
                "pause": "Let accounts serve nothing until resumed.",
                "resume": "Let paused accounts serve again.",
                "label": "Give an account another name.",
                "tag": "Add tags to an account and take others away.",
                "priority": "Let new threads go to an account before others.",
                "reserve": "Keep some of an account's quota for its owner.",
            },
            "logout": {"logout": "Delete our copy of a login; --revoke ends it."},
            "remove": {"remove": "Forget an account."},
        },
    ),
    "see": Panel(
        "See",
        {
            "list": {"list": "The accounts: state, usage, who serves."},
            "status": {"status": "How the pool is doing, and what happened last."},
            "top": {"top": "All of that on a screen that stays, with keys."},
            "why": {"why": "Whom the proxy chooses or chose, with the reasons."},
            "forecast": {
                "forecast": "How long the pool will last.",
                "best": "Which account a new thread would get now.",
            },
            "events": {"events": "What has happened, and what happens from now on."},
            "usage": {"usage": "Who used how much: tokens, accounts, projects."},
            "open": {"open": "The page of a running proxy, in your browser."},
            "explain": {"explain": "What happened in a saved capture, turn by turn."},
        },
    ),
    "wrong": Panel(
        "When something is wrong",
        {
            "doctor": {"doctor": "Find out what keeps clients from being served."},
            "fix": {"fix": "Mend what can be mended without losing anything."},
            "report": {"report": "Sum up everything for somebody who helps."},
            "debug": {"debug": "What helps somebody to help."},
        },
    ),
    "setup": Panel(
        "Set up",
        {
            "env": {"env": "Lead the clients of one shell through the proxy."},
            "bind": {
                "bind": "Lead every Codex of this user through it, IDEs too.",
                "unbind": "Undo `bind`.",
            },
            "people": {"people": "Who uses the pool, and how much of it."},
            "keys": {"keys": "Keys for clients, and key files for other people."},
            "join": {"join": "Use somebody else's proxy."},
            "notify": {"notify": "Try how you are told what happens to the pool."},
            "config": {"config": "The settings: see them, change them."},
            "ca": {"ca": "The certificate authority of the proxy."},
            "sync": {"sync": "Exchange logins with the client's own files."},
            "backup": {"backup": "Copies of the pool: make, list, bring back."},
            "completion": {"completion": "What makes Tab complete, for your shell."},
        },
    ),
    "more": Panel(
        "More",
        {
            "demo": {"demo": "See accounts fail in mid-turn, on this machine alone."},
            "script": {"script": "Where the script for `mitmdump -s` lies."},
            "help": {"help": "What a command does, its options and examples."},
            "version": {"version": "The version."},
        },
    ),
}
"""The panels in the order of `--help`, by their folders."""

COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    f"{folder}.{module}": tuple(names) for folder, panel in PANELS.items() for module, names in panel.modules.items()
}
"""The modules of this package and the commands or groups that each one adds."""

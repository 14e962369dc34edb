"""What a refused command line is told: what was wrong and, where that can be guessed, what was meant.

The tables hold what people type who know other programs. The nearest name is the guess for the rest.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from accounts.errors import UsageError

NAME: Final = "codex-rotate"
WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "account": ("list",),
    "accounts": ("list",),
    "activate": ("use ACCOUNT", "resume ACCOUNT"),
    "active": ("use", "list"),
    "add": ("login", "import FILE"),
    "alerts": ("notify test",),
    "auth": ("login", "list"),
    "authenticate": ("login",),
    "auto": ("use --auto",),
    "background": ("run codex", "serve"),
    "cert": ("ca status",),
    "certificate": ("ca status",),
    "choose": ("use ACCOUNT",),
    "codex": ("run codex",),
    "connect": ("run codex", "bind"),
    "current": ("use", "list"),
    "daemon": ("serve",),
    "dashboard": ("open", "top", "serve --web"),
    "del": ("remove ACCOUNT",),
    "delete": ("remove ACCOUNT",),
    "diagnose": ("doctor",),
    "disable": ("pause ACCOUNT",),
    "disconnect": ("unbind",),
    "down": ("stop",),
    "enable": ("resume ACCOUNT",),
    "environment": ("env",),
    "exec": ("run codex exec",),
    "forget": ("remove ACCOUNT",),
    "gui": ("serve --web",),
    "heal": ("fix",),
    "health": ("doctor",),
    "history": ("events", "why --last 5"),
    "info": ("status",),
    "init": ("login", "config init"),
    "install": ("login", "bind", "ca install"),
    "key": ("keys list",),
    "kill": ("stop",),
    "launch": ("run codex",),
    "limits": ("list", "forecast"),
    "link": ("bind",),
    "log": ("events", "why --last 5"),
    "logs": ("events", "why --last 5"),
    "ls": ("list",),
    "mitmdump": ("serve",),
    "mitmweb": ("serve --web",),
    "mv": ("label ACCOUNT NAME",),
    "new": ("login",),
    "next": ("best", "use ACCOUNT"),
    "off": ("unbind", "stop"),
    "on": ("bind", "run codex"),
    "pick": ("use ACCOUNT",),
    "pin": ("use ACCOUNT",),
    "ping": ("check",),
    "pool": ("list",),
    "proxy": ("serve", "run codex"),
    "quit": ("stop",),
    "quota": ("list", "forecast"),
    "refresh": ("check", "verify"),
    "register": ("login",),
    "rename": ("label ACCOUNT NAME",),
    "restart": ("stop", "serve"),
    "rm": ("remove ACCOUNT",),
    "rotate": ("use ACCOUNT", "use --auto"),
    "select": ("use ACCOUNT",),
    "server": ("serve",),
    "set": ("config set KEY VALUE",),
    "settings": ("config show",),
    "setup": ("login", "run codex"),
    "share": ("keys add NAME",),
    "shell": ("env",),
    "show": ("list", "status"),
    "shutdown": ("stop",),
    "signin": ("login",),
    "signout": ("logout ACCOUNT",),
    "start": ("run codex", "serve"),
    "stats": ("status",),
    "switch": ("use ACCOUNT",),
    "test": ("check", "doctor"),
    "tokens": ("list", "check"),
    "trust": ("ca status", "ca install"),
    "tui": ("top",),
    "ui": ("top", "serve --web"),
    "uninstall": ("unbind", "ca uninstall"),
    "unpin": ("use --auto",),
    "unuse": ("use --auto",),
    "up": ("run codex", "serve"),
    "watch": ("top",),
    "web": ("serve --web",),
    "whoami": ("list", "sync status"),
}
"""What people type, and the commands that do it."""
VERBS: Final[Mapping[str, str]] = {
    "delete": "remove",
    "del": "remove",
    "get": "show",
    "ls": "list",
    "make": "create",
    "new": "create",
    "print": "show",
    "revoke": "remove",
    "rm": "remove",
    "show": "list",
    "view": "list",
}
"""The same for the commands of a group, such as `keys rm`."""
_SWAPPED: Final = {"create": "add", "add": "create", "make": "add", "new": "add", "show": "status", "list": "show"}
"""What one group calls so, and another one so."""
OPTIONS: Final[Mapping[tuple[str, str], str]] = {
    ("serve", "--port"): "--listen 127.0.0.1:{PORT}",
    ("serve", "-p"): "--listen 127.0.0.1:{PORT}",
    ("serve", "--listen-port"): "--listen 127.0.0.1:{PORT}",
    ("serve", "--host"): "--listen {HOST}:8118",
    ("serve", "--listen-host"): "--listen {HOST}:8118",
    ("serve", "--address"): "--listen {HOST:PORT}",
    ("serve", "--bind"): "--listen {HOST:PORT}",
    ("serve", "--proxy"): "--listen {HOST:PORT}",
    ("serve", "--ui"): "--web",
    ("serve", "--gui"): "--web",
    ("serve", "--mitmweb"): "--web",
    ("serve", "--all"): "--intercept-all",
    ("env", "--port"): "--proxy http://127.0.0.1:{PORT}",
    ("env", "--listen"): "--proxy http://{HOST:PORT}",
    ("bind", "--port"): "--proxy http://127.0.0.1:{PORT}",
    ("bind", "--listen"): "--proxy http://{HOST:PORT}",
    ("login", "--name"): "--label {NAME}",
    ("login", "-n"): "--label {NAME}",
    ("login", "--alias"): "--label {NAME}",
    ("login", "--device-auth"): "--device",
    ("login", "--device-code"): "--device",
    ("login", "--headless"): "--device",
    ("login", "--paste"): "--manual",
    ("login", "--account-id"): "--workspace {ID}",
    ("import", "--name"): "--label {NAME}",
    ("import", "-n"): "--label {NAME}",
    ("export", "-o"): "--out {FILE}",
    ("export", "--output"): "--out {FILE}",
    ("export", "--file"): "--out {FILE}",
    ("report", "-o"): "--out {FILE}",
    ("report", "--output"): "--out {FILE}",
    ("debug bundle", "-o"): "--out {FILE}",
    ("debug bundle", "--output"): "--out {FILE}",
    ("run", "-a"): "--account {ACCOUNT}",
    ("run", "--label"): "--account {ACCOUNT}",
    ("run", "--use"): "--account {ACCOUNT}",
    ("run", "--name"): "--account {ACCOUNT}",
    ("use", "--off"): "--auto",
    ("use", "--none"): "--auto",
    ("use", "--reset"): "--auto",
    ("use", "--clear"): "--auto",
    ("why", "-n"): "--last {N}",
    ("remove", "--force"): "--yes",
    ("remove", "-f"): "--yes",
    ("logout", "--force"): "--yes",
    ("backup restore", "--force"): "--yes",
    ("completion", "--install"): "--shell {bash}",
}
"""By command and wrong option: the right one. What was given takes the place of {…} where it could stand there."""
INSTEAD: Final[Mapping[tuple[str, str], str]] = {
    (
        "run",
        "--proxy",
    ): "`run` finds the proxy that runs, or starts one. To use another: `codex-rotate env --proxy URL`.",
    ("run", "--port"): "`run` finds the proxy that runs, or starts one at a free port.",
    ("run", "--model"): "Options of the client come after its name: `codex-rotate run codex --model NAME`.",
    ("run", "-m"): "Options of the client come after its name: `codex-rotate run codex -m NAME`.",
    ("run", "--last"): "Options of the client come after its name: `codex-rotate run codex resume --last`.",
    ("resume", "--last"): "`resume` is about accounts. A conversation: `codex-rotate run codex resume --last`.",
    ("use", "--account"): "The account is named without an option: `codex-rotate use ACCOUNT`.",
    ("import", "--file"): "The file is named without an option: `codex-rotate import FILE`.",
    ("import", "-f"): "The file is named without an option: `codex-rotate import FILE`.",
    ("serve", "-d"): "`codex-rotate run codex` starts a proxy in the background by itself.",
    ("serve", "--daemon"): "`codex-rotate run codex` starts a proxy in the background by itself.",
    ("serve", "--background"): "`codex-rotate run codex` starts a proxy in the background by itself.",
    ("list", "--live"): "`codex-rotate check` asks the provider.",
    ("list", "--all"): "`codex-rotate list` shows all accounts.",
    ("status", "--watch"): "`codex-rotate top` shows it as it happens.",
    ("", "--home"): "CODEX_ROTATE_HOME names the folder of the pool.",
    ("", "--config"): "CODEX_ROTATE_HOME names the folder with config.toml.",
    ("", "-c"): "CODEX_ROTATE_HOME names the folder with config.toml.",
    ("", "--format"): "Did you mean `--json`?",
    ("", "--output"): "Did you mean `--json`?",
    ("", "-o"): "Did you mean `--json`?",
    ("", "-j"): "Did you mean `--json`?",
    ("", "--no-color"): "NO_COLOR=1 in the environment switches colours off.",
    ("", "--usage"): "Did you mean `--help`?",
    ("", "-?"): "Did you mean `--help`?",
    ("", "-v"): "Did you mean `--version`?",
}
"""Where no other option is meant: what to do. "" is any command."""
EXTRA: Final[Mapping[str, str]] = {
    "login": "--label {NAME}",
    "serve": "--listen 127.0.0.1:{PORT}",
    "why": "--thread {ID}",
}
"""The option that a word without one was meant for, where a command takes no such word."""
_EXTRA: Final = re.compile(r"unexpected extra argument\w*(?:\(s\))? \((\S+?)\)")
_PASSWORD: Final = re.compile(r"://\S*@")
"""What an argument in the wrong place may hold, and its refusal must not repeat."""
_PLACE: Final = re.compile(r"\{([^}]+)\}")
_FITTING: Final = {
    "PORT": re.compile(r"\d{1,5}"),
    "N": re.compile(r"\d{1,5}"),
    "HOST": re.compile(r"[\w.-]{1,60}"),
    "HOST:PORT": re.compile(r"[\w.-]{1,60}:\d{1,5}"),
    "NAME": re.compile(r"[\w.@-]{1,60}"),
    "ID": re.compile(r"[0-9a-f-]{20,60}"),
    "ACCOUNT": re.compile(r"[\w.@-]{1,60}"),
}


class UnknownCommand(UsageError):
    """`path` is what stands before the word, `root` the whole command line."""

    def __init__(self, word: str, path: Sequence[str], root: Any) -> None:
        there = " ".join([NAME, *path])
        meant = listed([f"`{NAME} {each}`" for each in likely(word, path, root)])
        asked = f" Did you mean {meant}?" if meant else ""
        super().__init__(f"No such command {_PASSWORD.sub('://***@', word)!r}.{asked} See `{there} --help`.")


def refusal(error: Exception, arguments: Sequence[str]) -> str:
    """One line for what the parser has refused."""
    context = getattr(error, "ctx", None)
    if context is None:
        return _with_help(_said(error), NAME)
    root = context.find_root().command
    path = context.command_path.split()[1:]
    option = getattr(error, "option_name", None)
    if option and hasattr(error, "possibilities"):
        meant = _option_meant(error, path, arguments) or _misplaced(option, root, path, arguments)
        return _with_help(f"No such option: {option}. {meant}", context)
    below = getattr(context.command, "commands", None)
    if below is not None:
        word = _astray(root, arguments)
        if word is None:
            return _with_help(_which(path, below), context)
        return _misordered(word, path, root, arguments) or str(UnknownCommand(word, path, root))
    said = _said(error) + _shown(" ".join(path), error)
    return _with_help(f"{said} {_extra_meant(' '.join(path), said)}", context)


def likely(word: str, path: Sequence[str], root: Any) -> list[str]:
    """What may be meant by a word that is no command, as it would be typed after our name."""
    group = root
    for each in path:
        group = group.commands[each]
    before = " ".join([*path, ""])
    typed = word.casefold().strip("-")
    if path:
        found = [each for each in (VERBS.get(typed, ""), _SWAPPED.get(typed, "")) if each in group.commands]
    else:
        found = [each for each in WORDS.get(typed, ()) if each.split()[0] in root.commands]
        found = found or [f"{name} {typed}" for name, each in root.commands.items() if typed in _below(each)]
    found = found or difflib.get_close_matches(typed, list(group.commands), n=3)
    return [before + each for each in found]


def listed(names: Sequence[str]) -> str:
    """Alternatives as a sentence has them."""
    *others, last = names or ("",)
    return f"{', '.join(others)} or {last}" if others else last


def _below(command: Any) -> Mapping[str, Any]:
    return getattr(command, "commands", None) or {}


def _astray(root: Any, arguments: Sequence[str]) -> str | None:
    """The first word that names no command where one has to stand, None when there is none: groups have flags only."""
    command = root
    for word in arguments:
        if not word.startswith("-"):
            if word not in _below(command):
                return word
            command = command.commands[word]
    return None


def _misordered(word: str, path: Sequence[str], root: Any, arguments: Sequence[str]) -> str:
    """What to say when the command comes later, "" when it does not."""
    later = next((each for each in arguments if each in root.commands), "")
    if path or not later or likely(word, path, root):
        return ""
    return _with_help(f"The command comes first: `{NAME} {later}`, then {_PASSWORD.sub('://***@', word)!r}.", NAME)


def _extra_meant(command: str, said: str) -> str:
    """A sentence about the option that a word too many is the value of, "" for any other refusal."""
    extra = _EXTRA.search(said)
    option = EXTRA.get(command, "") if extra else ""
    place = _PLACE.search(option)
    if extra is None or place is None or not _FITTING[place[1]].fullmatch(extra[1]):
        return ""
    return f"Did you mean `{_PLACE.sub(extra[1], option)}`?"


def _which(path: Sequence[str], below: Mapping[str, Any]) -> str:
    there = " ".join([NAME, *path])
    return f"Say which command to run: {listed([f'`{there} {each}`' for each in below])}."


def _option_meant(error: Any, path: Sequence[str], arguments: Sequence[str]) -> str:
    """A sentence about what a wrong option is instead, "" when nobody knows."""
    option, command = str(error.option_name), " ".join(path)
    if right := OPTIONS.get((command, option)):
        return f"Did you mean `{_PLACE.sub(lambda found: _given(option, found[1], arguments), right)}`?"
    if instead := INSTEAD.get((command, option)) or INSTEAD.get(("", option)):
        return instead
    near = sorted(error.possibilities or ())
    return f"Did you mean {listed([f'`{each}`' for each in near])}?" if near else ""


def _misplaced(option: str, root: Any, path: Sequence[str], arguments: Sequence[str]) -> str:
    """What to say of an option of a command that stands before the command, "" for any other."""
    command = next((each for each in arguments if not each.startswith("-")), "")
    params = getattr(root.commands.get(command), "params", ())
    if path or not any(option in each.opts for each in params):
        return ""
    return f"Options come after the command: `{NAME} {command} {option}`."


def _given(option: str, place: str, arguments: Sequence[str]) -> str:
    """The value that an option had, if it is one that can stand in the place of another's, else the place's name."""
    for value in _values(option, arguments):
        if place in _FITTING and _FITTING[place].fullmatch(value):
            return value
    return place


def _values(option: str, arguments: Sequence[str]) -> Iterator[str]:
    for at, word in enumerate(arguments):
        if word == option:
            yield from arguments[at + 1 : at + 2]
        elif word.startswith(f"{option}="):
            yield word.removeprefix(f"{option}=")


def _said(error: Any) -> str:
    text = _PASSWORD.sub("://***@", str(getattr(error, "format_message", error.__str__)()))
    return f"{' '.join(text.split()).rstrip('.')}."


def _shown(command: str, error: Any) -> str:
    """How a command is used to whom an argument of it is missing."""
    from cli.ui.examples import EXAMPLES

    missing = getattr(error, "param", None) is not None and str(error.format_message()).startswith("Missing")
    lines = EXAMPLES.get(command, ()) if missing else ()
    return f" For example: `{lines[0]}`." if lines else ""


def _with_help(text: str, where: Any) -> str:
    path = where if isinstance(where, str) else where.command_path
    return f"{text.rstrip()} See `{path} --help`."

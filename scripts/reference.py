# ruff: noqa: INP001 - scripts/ holds programs
"""Writes docs/reference/ from the code: `make reference`. tests/test_reference.py fails when a page is stale.

What the code does not say by itself is in scripts/reference_words.py; a word that is missing there, or that nothing
needs any more, stops the writing.
"""

import ast
import functools
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from cli.ui.examples import EXAMPLES
from scripts.reference_words import ACTIONS, EVENTS, EXIT_CODES, OUTCOMES, REFUSALS, RULED_OUT

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / "docs" / "reference"
CODE: Final = ("addons", "accounts", "cli", "certs")
NOTE: Final = "<!-- Written by `make reference` from the code. Do not edit it. -->"
NOW: Final = 1_800_000_000.0
WINDOW: Final = 4_980
"""Seconds from NOW to the reset in the examples."""


class Stale(Exception):
    """A table here and the code do not agree."""


@functools.cache
def pages() -> dict[str, str]:
    """Every page of the reference: its file name and its text."""
    return {
        "commands.md": commands(),
        "settings.md": settings(),
        "options.md": options(),
        "events.md": events(),
        "errors.md": errors(),
    }


def page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", NOTE, *(part.strip("\n") for part in parts)]) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; cells must not end it, so pipes and line ends are escaped."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )


def agree(what: str, told: Iterable[Any], found: Iterable[Any]) -> None:
    """Raises Stale when a table lacks something that the code has, or has something that the code lacks."""
    missing, dead = set(found) - set(told), set(told) - set(found)
    if missing or dead:
        raise Stale(f"scripts/reference_words.py, {what}: missing {sorted(missing)}, not in the code {sorted(dead)}.")


# commands


def commands() -> str:
    import typer

    from cli.app import build

    group: Any = typer.main.get_command(build())
    known = dict(sorted(walk(group, "codex-rotate")))
    index = table(
        ("command", "what it does"),
        ((f"[`{name}`](#{anchor(name)})", first_sentence(each.help or "")) for name, each in known.items()),
    )
    return page(
        "Commands",
        "`codex-rotate` alone says how things are and what to do next. Every command takes `--json`, which prints "
        "exactly one JSON value on stdout, and `-h` or `--help`. Messages end with what to do next; the exit codes "
        "are [in the list of errors](errors.md#exit-codes).",
        "An account is named by its label, its e-mail, its account id or its number in `codex-rotate list`; the "
        "beginning of a name is enough where it fits one account only.",
        index,
        *(described(name, command) for name, command in known.items()),
    )


def walk(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The commands below a group, not the groups themselves."""
    for word, command in group.commands.items():
        if getattr(command, "hidden", False):
            continue
        if getattr(command, "commands", None) is not None:
            yield from walk(command, f"{name} {word}")
        else:
            yield f"{name} {word}", command


def anchor(name: str) -> str:
    return name.replace(" ", "-")


def first_sentence(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split())


def described(name: str, command: Any) -> str:
    shown = [each for each in command.params if not getattr(each, "hidden", False) and "--json" not in each.opts]
    arguments = [metavar(each) for each in shown if each.param_type_name == "argument"]
    usage = " ".join([name, *(["[OPTIONS]"] if len(shown) > len(arguments) else []), *arguments])
    rows = [(spelled(each), default(each), each.help or "") for each in shown]
    text = "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    parts = [f"## {name}", text, f"```text\n{usage}\n```"]
    if rows:
        parts.append(table(("argument or option", "default", "meaning"), rows))
    examples = EXAMPLES.get(name.partition(" ")[2], ())
    if examples and examples != (usage,):
        parts += ["For example:", "\n".join(["```text", *examples, "```"])]
    return "\n\n".join(parts)


def metavar(parameter: Any) -> str:
    """What stands for a value: NAME, [NAME], NAME..."""
    choices = getattr(parameter.type, "choices", None)
    plain = parameter.metavar or ("[" + "|".join(map(str, choices)) + "]" if choices else None)
    if parameter.param_type_name == "option":
        return str(plain or parameter.type.name.upper())
    word = str(plain or parameter.name.upper())
    word = word if parameter.nargs == 1 or word.endswith("...") else f"{word}..."
    return word if parameter.required or word.startswith("[") else f"[{word}]"


def spelled(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{metavar(parameter)}`"
    value = "" if parameter.is_flag else f" {metavar(parameter)}"
    return ", ".join(f"`{option}{value}`" for option in [*parameter.opts, *parameter.secondary_opts])


def default(parameter: Any) -> str:
    value = parameter.default
    if value in (None, "", False, [], ()) or callable(value) or getattr(parameter, "is_flag", False):
        return ""
    return f"`{value}`"


# settings and options


def settings() -> str:
    from config.settings import PREFIX, described

    rows = [
        (
            f"`{key}`",
            ", ".join(f"`{each}`" for each in about.choices) or about.allowed,
            f"`{about.default}`" if about.default not in (None, "", {}) else "",
            about.meaning,
        )
        for key, about in described().items()
    ]
    return page(
        "Settings",
        "They are in `config.toml` in `CODEX_ROTATE_HOME`, each a line `key = value`. For one run a variable in the "
        f"environment, `{PREFIX}` and the key in capitals, goes before the file. A key that there is not is an error.",
        table(("key", "values", "default", "meaning"), rows),
        "## Variables that are no settings",
        table(
            ("variable", "meaning"),
            (
                ("`CODEX_ROTATE_HOME`", "The folder that holds everything of ours: a whole path, or one below `~`."),
                ("`CODEX_ROTATE_SYNC`", "`0`: the official client's login files are neither read nor written."),
                ("`CODEX_HOME`", "The official client's folder; `~/.codex` without it."),
                ("`CODEX_REFRESH_TOKEN_URL_OVERRIDE`", "The official client's own: where tokens are renewed."),
            ),
        ),
    )


class Options:
    """What mitmproxy's loader is to an addon, keeping what it is told."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str, str]] = []

    def add_option(self, name: str, typespec: Any, value: Any, text: str, choices: Sequence[str] | None = None) -> None:
        allowed = (
            ", ".join(f"`{choice}`" for choice in choices) if choices else getattr(typespec, "__name__", str(typespec))
        )
        self.rows.append(
            (f"`{name}`", allowed, f"`{json.dumps(value)}`" if not isinstance(value, str) else f"`{value}`", text)
        )


def options() -> str:
    from addons.chain import addons
    from addons.startup import FORCED, HELD

    held = [
        (f"`{name}`", "unset" if FORCED[name] is None else f"`{FORCED[name]}`".lower(), why)
        for name, (_, why) in HELD.items()
        if name in FORCED
    ]
    told = Options()
    for each in addons:
        load = getattr(each, "load", None)
        if load is not None:
            load(told)
    return page(
        "Options of the proxy",
        "The addon adds these to mitmproxy's own; `mitmdump --options` lists all. They are given with "
        "`--set name=value` or in mitmproxy's `config.yaml`.",
        table(("option", "values", "default", "meaning"), sorted(told.rows)),
        "These options of mitmproxy are set by the addon, and held while it runs:",
        table(("option", "value", "with another one"), held),
    )


# events


def events() -> str:
    from accounts.choice.outcomes import RULES, Kind, Rest

    agree("EVENTS", EVENTS, event_kinds())
    agree("OUTCOMES", OUTCOMES, Kind)
    agree("ACTIONS", ACTIONS, {rule.action for rule in RULES.values()})
    outcomes = [
        (
            f"`{kind}`",
            OUTCOMES[kind],
            ACTIONS[rule.action],
            "" if rule.rest is Rest.NONE else f"{rule.rest}, {rule.seconds:g} s",
        )
        for kind, rule in RULES.items()
    ]
    return page(
        "Events",
        "The pool keeps the last 5,000 events in `pool.db`; `codex-rotate events` shows them. An event has a "
        "time, a kind, and where it fits an account, a thread and a detail. None holds a token or anything of a "
        "conversation.",
        "## Kinds",
        table(("kind", "meaning"), ((f"`{kind}`", text) for kind, text in sorted(EVENTS.items()))),
        "## Outcomes of an attempt",
        "What one account said to one request is an event as well, and a line in a `decision`. A hard rest takes an "
        "account out of service until upstream's own time for it, or as long as said here; a soft one puts it behind "
        "the others.",
        table(("kind", "meaning", "what follows", "rest"), outcomes),
    )


def event_kinds() -> set[str]:
    """The kinds that the code writes into the history by a name of their own, read from its source."""
    files = [path.read_text("utf-8") for name in CODE for path in (ROOT / name).rglob("*.py")]
    trees = [ast.parse(text) for text in files if "Event(" in text]
    constants = re.compile(r"^(\w+)(?:: [\w.\[\]]+)? = \"([^\"\\]*)\"$", re.MULTILINE)
    named = dict(pair for text in files for pair in constants.findall(text))
    found = {"kept", "renewed", "imported", "restored"}
    """`kept` and its like pass through a variable in accounts/logins/adopting.py, `restored` through SQL."""
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Event":
                kinds = [part for word in node.keywords if word.arg == "kind" for part in ast.walk(word.value)]
                found |= {
                    part.value for part in kinds if isinstance(part, ast.Constant) and isinstance(part.value, str)
                }
                found |= {named[part.id] for part in kinds if isinstance(part, ast.Name) and part.id in named}
    return found


# errors


def errors() -> str:
    agree("EXIT_CODES", EXIT_CODES, exit_codes())
    told = "\n\n".join(f"### {title}\n\n{when}\n\n{example}" for title, when, example in answers_of_ours())
    return page(
        "Errors and exit codes",
        "## Exit codes",
        table(("code", "meaning"), ((f"`{code}`", text) for code, text in EXIT_CODES.items())),
        "`run` ends with the client's own exit code. With `--json` an error is one JSON value too: "
        '`{"error": "…", "exit_code": 1}`.',
        "## Answers of the proxy",
        "What upstream says passes unchanged. These are the proxy's own; on a WebSocket the same object comes as a "
        "message of type `error`. Apart from the usage limit, whose shape is upstream's so that the client prints its "
        "own message, the type begins with `codex_rotate_`.",
        told,
    )


def answers_of_ours() -> Iterator[tuple[str, str, str]]:
    """Every answer that the proxy makes by itself: its title, when it is given, and what it looks like."""
    from accounts.choice.selection import Exclusion, Exhausted
    from accounts.people.keys import Refusal, Refused
    from accounts.people.rules import Denial, PersonRule
    from addons.exchange import replays
    from addons.exchange.answering import refusals, virtual_answers
    from addons.wire import answers

    resting = Exhausted(resets_at=NOW + WINDOW, limited=True, plan="plus", reasons={"work": "usage limit"})
    cases = [
        (
            "Every account is at its limit; none is back within `park_seconds`.",
            answers.nothing_usable(resting, NOW, 120),
        ),
        (
            "No account can serve, and one is back within `park_seconds`: the client waits by itself.",
            answers.nothing_usable(resting, NOW, WINDOW),
        ),
        (
            "No account can serve, and a person has to do something.",
            answers.nothing_usable(Exhausted(reasons={"work": "needs login"}), NOW, 120),
        ),
        *(
            (f"{text}.", answers.nothing_usable(Exhausted(rule=Exclusion(rule), reasons={"work": str(rule)}), NOW, 120))
            for rule, text in answers.RULES.items()
        ),
        ("The provider signed accounts out one after another, so no further one was asked.", answers.signed_out()),
        ("No attempt brought an answer. The client retries this by itself.", answers.unreachable("connect_failed")),
        *((REFUSALS[why], refusals.refused(Refused(why, "ann"), 400)) for why in Refusal),
        *(
            (f"{RULED_OUT[rule][0]} The client stops.", refusals.denied(Denial(rule=rule, sentence=RULED_OUT[rule][1])))
            for rule in PersonRule
        ),
        (
            "mitmproxy's Replay: the flow has a mark where the client had a secret.",
            answers.masked("the header authorization", again=True),
        ),
        ("Another addon, or an option, has changed where a request to the model goes.", answers.off_its_route()),
        ("mitmproxy's ssl_insecure is on, and the server is on another machine.", answers.unverified()),
        (
            "The client uses a login of `people login`, and asks for something beside the model.",
            virtual_answers.nothing_behind("GET /backend-api/me"),
        ),
        ("mitmproxy's Replay of what cannot be played again.", answers.not_replayed(replays.A_SOCKET)),
        (
            "A WebSocket upgrade that is to go over HTTP instead. The client does so in silence.",
            answers.upgrade_refused(),
        ),
        (
            "A defect of codex-rotate. The request was not sent; the proxy's log has a line about it.",
            answers.failed_closed(),
        ),
    ]
    for when, response in cases:
        told = json.loads(response.content or b"{}")["error"]
        yield f"{response.status_code} `{told['type']}`", when, f"```json\n{json.dumps({'error': told}, indent=2)}\n```"


def exit_codes() -> set[int]:
    """What the commands' errors and results end with, read from the classes and, for results, from the contract."""
    import importlib

    from config.errors import RotateError

    for path in sorted((ROOT / "cli").rglob("*.py")):
        if not path.name.startswith("__"):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))

    def below(kind: type) -> Iterator[type]:
        yield kind
        for each in kind.__subclasses__():
            yield from below(each)

    from cli.app import INTERRUPTED

    codes = {getattr(each, "exit_code", 1) for each in below(RotateError)}
    return {0, INTERRUPTED} | {code for code in codes if isinstance(code, int)}


def main() -> int:
    """Write every page that is not as it should be, and remove those that are no more."""
    FOLDER.mkdir(exist_ok=True)
    wanted = pages()
    for name, text in wanted.items():
        path = FOLDER / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            sys.stdout.write(f"docs/reference/{name}\n")
    for path in FOLDER.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())

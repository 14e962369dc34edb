"""The shape of the code, read from the source itself: who may import whom, and what occurs in one place only."""

import ast
import functools
import gc
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

from accounts.requests.identity import CACHE_KEY, ROUTING_HINT, THREAD_HEADERS, TURN_METADATA
from addons.wire.events import CREATE, KINDS, RATE_LIMITS
from tests.rows import all_rows

ROOT = Path(__file__).resolve().parents[1]

MAY_IMPORT = {
    "cli": {"addons", "accounts", "config", "certs", "standin"},
    "addons": {"accounts", "config"},
    "accounts": {"config"},
    "certs": {"config"},
    "config": set[str](),
    "standin": {"config"},
    "benchmarks": {"accounts", "addons", "cli", "config"},
}
"""Each package and those below it. The command line is on top of everything; the rest is one chain."""

COMMANDS = "cli.commands"
MADE_OF = {"cli/commands/setup/ca.py": {"cli.commands.setup.trust"}}
"""Commands that another module adds to a group: the only reason for one of them to know another."""
MAY_KNOW_COMMANDS = {"cli/app.py": COMMANDS, "cli/ui/help.py": f"{COMMANDS}.PANELS"}
"""Who may import what of the commands. Help shows the table of them, and no more."""

WITHOUT_A_TEST_FILE = {
    "accounts/choice/decision_record.py": "what is recorded can be read: tests/accounts/turn/test_log.py",
    "accounts/choice/candidate_table.py": "the pool's own half; tests/accounts/choice/test_pool.py",
    "accounts/people/rules.py": "values without behaviour",
    "accounts/people/ports.py": "an interface",
    "accounts/turn/events.py": "values without behaviour",
    "accounts/turn/waiting.py": "questions of the table; tests/accounts/turn/test_state.py",
    "accounts/turn/steps.py": "values without behaviour",
    "addons/exchange/reading/answer_reading.py": "a part of a pooled request; tests/addons/exchange/test_pooled.py",
    "addons/exchange/reading/answer_events.py": "a part of a pooled request; tests/addons/exchange/test_pooled.py",
    "addons/exchange/reading/passing_answer.py": "a part of a pooled request; tests/addons/exchange/test_pooled.py",
    "addons/exchange/catalogue.py": "tests/proxy/test_catalogue.py fetches it over both transports",
    "addons/exchange/catalogue_tag.py": "tests/proxy/test_catalogue.py compares the tags of answers with the list's",
    "addons/exchange/delivery.py": "a part of a pooled request; tests/addons/exchange/test_pooled.py",
    "addons/exchange/answering/local_answers.py": "tests/proxy/test_exhausted.py asks for each over both transports",
    "addons/exchange/known_clients.py": "tests/proxy/test_people.py and tests/proxy/test_taken_back.py live by it",
    "addons/exchange/request_log.py": "tests/addons/exchange/test_pooled.py and tests/addons/recording",
    "addons/attempts/patches/put_in_place.py": "a list of what to call; each has its own test file",
    "benchmarks/pages.py": "tests/benchmarks/test_rig.py has pages open",
    "benchmarks/scripts/recorded.py": "tests/benchmarks/test_rig.py has a proxy with and without records",
    "accounts/ledger/ports.py": "an interface; what writes the ledger is tested with it",
    "addons/recording/ended_turn.py": "values without behaviour",
    "accounts/errors.py": "sentences and exit codes; each is asserted where it is raised",
    "accounts/store/rows.py": "the store's own half; tests/accounts/store/test_store.py",
    "accounts/store/change_watch.py": "a part of the store, tested through it",
    "accounts/store/choices.py": "a part of the store, tested through it",
    "accounts/store/event_log.py": "a part of the store, tested through it",
    "accounts/store/learned.py": "a part of the store, tested through it",
    "accounts/store/file_watch.py": "what a pool's file sees of itself; tests/accounts/store/test_pool_file.py",
    "accounts/store/open_file.py": "the connections of a pool's file; tests/accounts/store/test_pool_file.py",
    "accounts/store/seats.py": "a part of the store, tested through it",
    "cli/top/facts.py": "values without behaviour",
    "cli/top/handlers.py": "what each key does; tests/cli/top/test_app.py presses them",
    "cli/top/sources.py": "what threads are given; tests/cli/top/test_app.py",
    "cli/top/widgets.py": "the screen's own half; tests/cli/top/test_app.py looks at it",
    "cli/top/rows/account_parts.py": "a part of the rows; tests/cli/top/rows/test_accounts.py",
    "cli/ui/options.py": "declarations that every command's own test uses",
    "cli/ui/result.py": "values without behaviour",
    "config/clock.py": "two calls of the standard library",
    "standin/faults/details.py": "values without behaviour",
    "standin/faults/kinds.py": "names; tests/standin/faults/test_rules.py asks for a row of each",
    "addons/attempts/protocol.py": "an interface; the tests of attempts and of the proxy are about it",
    "addons/dashboard/exposition.py": "the text of what is counted; tests/addons/dashboard/test_metrics.py reads it",
    "addons/dashboard/metric_families.py": "values; tests/addons/dashboard/test_metrics.py asks for each",
    "addons/exchange/passthrough.py": "a request that passes unchanged; tests/proxy/test_boundaries.py",
    "addons/idle_sockets.py": "idle sockets of accounts that go; tests/proxy/test_live_changes.py, with the real proxy",
    "addons/exchange/answering/client_answers.py": "words of ours for the client; tests/proxy/test_virtual_login.py",
    "addons/exchange/answering/routing_discovery.py": "tests/proxy/test_routing_discovery.py, with the real proxy",
    "addons/exchange/answering/virtual_answers.py": "tests/proxy/test_virtual_login.py, with the real proxy",
    "addons/expulsion.py": "what is open while a key goes; tests/proxy/test_taken_back.py, with the real proxy",
    "addons/draining.py": "signals and connections; tests/proxy/test_draining.py, with the real proxy",
    "addons/discovery.py": "hooks and a timer; tests/proxy/test_presence.py runs them in the real proxy",
    "cli/running/provider.py": "one call of `check`; tests/cli/commands/accounts/test_check.py and test_verify.py",
    "accounts/tokens/unsaved.py": "half of a refresh; tests/accounts/tokens/test_refresh.py",
    "cli/running/proxies.py": "sockets and processes; tests/cli/commands/use/test_run.py",
    "accounts/turn/sockets.py": "questions of the table; tests/accounts/turn/test_moves.py and test_machine.py",
    "addons/attempts/coded_echoes.py": "a part of the filter; tests/addons/attempts/test_echoes.py",
    "addons/attempts/connecting.py": "half of an attempt; tests/addons/attempts/test_driver.py",
    "addons/attempts/own_words.py": "answers and ends of a driver; tests/addons/attempts/test_driver.py",
    "addons/attempts/upstream_socket.py": "half of a relay; tests/addons/attempts/test_rotating_websocket.py",
    "addons/dashboard/dashboard.py": "hooks and a port; tests/proxy/test_page.py runs them in the real proxy",
    "addons/dashboard/past.py": "what the history and the ledger have; tests/addons/dashboard/test_contents.py",
    "addons/dashboard/server.py": "what the answers share; tests/addons/dashboard/test_handlers.py asks for them",
    "addons/rotator.py": "hooks without decisions; tests/proxy runs them in the real proxy",
    "addons/exchange/notices.py": "sentences of the log; tests/proxy/test_faults.py and test_keeper.py",
    "addons/recording/decisions.py": "tests/proxy/test_told.py reads what it wrote",
    "addons/exchange/service.py": "tests/proxy/test_live_changes.py, and the tests of sockets and refresh",
    "addons/chain.py": "a list; tests/proxy runs all of it",
    "addons/startup.py": "tests/proxy/test_fail_closed.py starts the real proxy with and without accounts",
    "cli/commands/more/demo.py": "one import and one call; tests/cli/demo/test_play.py",
}
"""Source files without a mirrored test file, each with the reason."""

CLOCK = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "localtime", "gmtime"},
    "datetime.datetime": {"now", "utcnow", "today"},
    "datetime.date": {"today"},
}


@functools.cache
def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@functools.cache
def tree(path: Path) -> ast.Module:
    """Nothing is garbage meanwhile, and to look for some would take as long."""
    gc.disable()
    try:
        return ast.parse(text(path), filename=str(path))
    finally:
        gc.enable()


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def product() -> list[Path]:
    """Every source file that is not a test: the packages and the two entry files beside them."""
    return [path for package in MAY_IMPORT for path in sources(package)] + sorted(ROOT.glob("*.py"))


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree(path)))


IMPORTING = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n#(]+)|import[ \t]+(\w[^\n#]*))", re.MULTILINE
)
"""As the formatter leaves it: one to a line, or in parentheses. A parser takes ten times as long."""


@functools.cache
def imports(path: Path) -> tuple[str, ...]:
    """The full name of everything a file imports: `from a import b` gives both `a` and `a.b`."""
    found: list[str] = []
    for module, inside, plain in IMPORTING.findall(text(path)):
        names = [each.split()[0] for each in re.sub(r"#[^\n]*|[()]", "", inside or plain).split(",") if each.strip()]
        assert not module.startswith("."), f"{named(path)}: packages are imported by name, not relatively"
        found += [module, *(f"{module}.{name}" for name in names)] if module else names
    return tuple(found)


def test_imports_are_found_however_they_are_written(tmp_path: Path) -> None:
    example = tmp_path / "example.py"
    example.write_text(
        "import a.b, c as d  # and more\nfrom e.f import g as h, i\ndef late():\n    from j import (  # why\n"
        "        k,  # of two\n        l as m,\n    )\n    import n\nimported = 'from o'\n"
    )
    assert imports(example) == ("a.b", "c", "e.f", "e.f.g", "e.f.i", "j", "j.k", "j.l", "n")


def test_nothing_is_imported_that_only_a_parser_sees() -> None:
    """The formatter gives every import a line that the expression above knows."""
    other = re.compile(
        r"^[^#\"'\n]*(?:;|:)[ \t]*(?:from[ \t]+[\w.]+[ \t]+import|import[ \t]+\w)|^[ \t]*from .*\\$", re.MULTILINE
    )
    assert [named(path) for path in product() if other.search(text(path))] == []


def importing(*modules: str) -> set[str]:
    """The files of the product that import one of these modules, or something inside it."""
    return {
        named(path)
        for path in product()
        if any(name == module or name.startswith(module + ".") for name in imports(path) for module in modules)
    }


def clock_readings(path: Path) -> list[int]:
    """The lines that mention a function that reads the clock, under whatever name it was imported."""
    if not {"time", "datetime"} & set(imports(path)):
        return []
    names: dict[str, str] = {}
    for node in nodes(path):
        if isinstance(node, ast.Import):
            names |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    banned = {f"{module}.{name}" for module, functions in CLOCK.items() for name in functions}
    lines, functions = [], {each.rpartition(".")[2] for each in banned}
    for node in nodes(path):
        if (isinstance(node, ast.Name) and node.id in names) or (
            isinstance(node, ast.Attribute) and node.attr in functions
        ):
            first, *rest = ast.unparse(node).split(".")
            if ".".join([names.get(first, first), *rest]) in banned:
                lines.append(node.lineno)
    return sorted(lines)


@all_rows("package", MAY_IMPORT)
def test_arrows_point_one_way(package: str) -> None:
    """A package imports only packages below it."""
    forbidden = MAY_IMPORT.keys() - MAY_IMPORT[package] - {package}
    found = [
        f"{named(path)} imports {name}"
        for path in sources(package)
        for name in imports(path)
        if name.split(".")[0] in forbidden
    ]
    assert not found


def test_the_pool_knows_neither_proxy_nor_terminal() -> None:
    """`accounts` can be used and tested without mitmproxy and without a command line."""
    assert not {name for name in importing("mitmproxy", "typer", "rich", "click") if name.startswith("accounts/")}


def commands_that_are_known(path: Path) -> set[str]:
    """The modules of commands, and what else of their package, that a file imports."""
    found = {name for name in imports(path) if name.startswith(f"{COMMANDS}.")}
    return {name for name in found if not any(other.startswith(f"{name}.") for other in found)} | {
        name for name in imports(path) if name == COMMANDS and not found
    }


def test_no_command_is_a_library() -> None:
    """What two commands do, or one and somebody else, is below them: in `accounts`, or elsewhere in `cli`."""
    found = {named(path): commands_that_are_known(path) for path in product()}
    inside = {name: known for name, known in found.items() if name.startswith("cli/commands/") and known}
    outside = {name: known for name, known in found.items() if not name.startswith("cli/commands/") and known}
    assert {name: known for name, known in inside.items() if known != MADE_OF.get(name)} == {}
    strangers = {
        name: known
        for name, known in outside.items()
        if not all(each.startswith(MAY_KNOW_COMMANDS.get(name, "nothing")) for each in known)
    }
    assert strangers == {}


def test_only_one_module_reads_the_clock() -> None:
    """Everything that decides takes `now` as an argument."""
    found = {named(path): clock_readings(path) for path in product() if named(path) != "config/clock.py"}
    assert not {name: lines for name, lines in found.items() if lines}


def test_the_clock_check_sees_every_spelling(tmp_path: Path) -> None:
    """The check above finds readings under other names, and leaves other uses of those modules alone."""
    example = tmp_path / "example.py"
    example.write_text(
        "import time as t\nimport datetime\nfrom time import monotonic as m\nfrom datetime import datetime as d\n"
        "t.time()\nm()\nd.now()\ndatetime.datetime.now()\ndatetime.timedelta()\nd.fromtimestamp(0)\nself.now()\n"
    )
    assert clock_readings(example) == [5, 6, 7, 8]


def test_only_the_renderer_prints() -> None:
    """Commands return results; one module shows them."""
    found = {
        named(path)
        for path in product()
        if "print(" in text(path)
        for node in nodes(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert found <= {"cli/ui/render.py"}


def test_one_module_writes_private_files() -> None:
    """Others claim, lock or append, and say why. What is written for its owner only is so from its first moment."""
    exclusive = {named(path) for path in product() if "O_EXCL" in text(path)}
    making = {named(path) for path in product() if "mkstemp" in text(path)}
    assert exclusive == making == {"config/files.py"}


def test_one_module_starts_programs() -> None:
    """Whoever needs another program goes through the same function."""
    assert len(importing("subprocess")) <= 1
    assert {named(path) for path in product() if "create_subprocess" in text(path)} == {
        "addons/notify/command.py"  # the owner's own, told by a proxy, which may not wait for it
    }


def test_one_place_leans_on_the_proxy_layers() -> None:
    """What a mitmproxy release can break is in addons/attempts/, and tried by its selftest.py."""
    leaning = r"addons/attempts/(patches/)?\w+\.py"
    found = {name for name in importing("mitmproxy.proxy.layers") if not re.match(leaning, name)}
    assert not found


PRIVATE = re.compile(r"noqa: [A-Z0-9, ]*SLF001|h2_conn\b|\.transports\b|\bproxyserver\b[\"')]*\.connections\b")
"""Private attributes, and what is reached through mitmproxy's connections."""
PRIVATE_OF_OTHERS = {
    "addons/inspection/content_view.py": "mitmproxy's registry of views has no way to take one out; it has no request",
}
"""Where else than in addons/attempts/ they may occur, each with the reason."""


def test_one_place_reaches_into_the_proxy() -> None:
    """For the same reason."""
    found = {named(path) for path in product() if PRIVATE.search(text(path))}
    assert {name for name in found if not name.startswith("addons/attempts/")} == PRIVATE_OF_OTHERS.keys()


def texts(path: Path) -> set[str]:
    """The texts in a file's code, docstrings among them."""
    return {node.value for node in nodes(path) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def knowing(names: set[str], *packages: str) -> set[str]:
    """The files of these packages with a text that is one of these names."""
    anywhere = re.compile("|".join(map(re.escape, names)))
    paths = [path for package in packages for path in sources(package) if anywhere.search(text(path))]
    return {named(path) for path in paths if texts(path) & names}


def test_one_module_knows_what_names_a_thread() -> None:
    """The headers and the field by which the client says which conversation a request belongs to."""
    names = {*THREAD_HEADERS, CACHE_KEY, ROUTING_HINT, TURN_METADATA} - {"thread_id", "session_id"}
    assert knowing(names, "accounts", "addons", "cli") == {"accounts/requests/identity.py"}


def test_one_module_knows_the_kinds_of_events() -> None:
    """What they mean to a verdict and to a reader. `accounts` is below that and reads one by itself."""
    names = {kind for kind in KINDS if kind.startswith("response.")} | {CREATE, RATE_LIMITS}
    passing = {"addons/attempts/local_websocket.py", "addons/exchange/sockets/pooled_socket.py"}
    assert knowing(names, "addons", "cli") - passing == {"addons/wire/events.py"}


def test_every_package_is_type_checked() -> None:
    """mypy is told the packages by name and stops at one without a file; none that has files is forgotten."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(project["tool"]["mypy"]["packages"]) == {package for package in MAY_IMPORT if sources(package)}


def missing_tests() -> set[str]:
    return {
        named(path)
        for package in MAY_IMPORT
        for path in sources(package)
        if not path.name.startswith("__")
        and not (ROOT / "tests" / path.parent.relative_to(ROOT) / f"test_{path.name}").is_file()
    }


def test_every_source_file_has_its_test_file() -> None:
    """tests/ mirrors the packages; an exception is written down with its reason."""
    assert sorted(missing_tests() - WITHOUT_A_TEST_FILE.keys()) == []


def test_the_exceptions_are_exceptions() -> None:
    """A file that has its test file by now, or is gone, leaves the list."""
    assert sorted(WITHOUT_A_TEST_FILE.keys() - missing_tests()) == []


# What must not be in any file. The strings are put together here, so that this file does not contain them.

REGISTRIES = (
    "py" + "pi.org",
    "pythonhosted" + ".org",
    "npm" + "js.org",
    "npm" + "js.com",
    "yarnpkg" + ".com",
    "crates" + ".io",
    "deb.debian" + ".org",
    "archive.ubuntu" + ".com",
    "proxy.golang" + ".org",
    "anaconda" + ".org",
)
JWT = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")
HOME = re.compile(r"(?<![\w.~/-])/(?:home|Users)/\w|(?<![\w.~/-])/(?:root)/|[A-Z]:\\Users\\\w")
HOMES = ("/ho" + "me/", "/Use" + "rs/", "/ro" + "ot/", ":\\Use" + "rs\\")
BUILT = {".git", ".venv", "node_modules", "build", "dist", "__pycache__"}


@functools.cache
def files() -> dict[str, str]:
    """What is in the repository or would be with the next `git add`; without git, all but what is built."""
    git = shutil.which("git")
    paths: list[Path] = []
    if git and (ROOT / ".git").exists():
        listing = [git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
        paths = [ROOT / name for name in done.stdout.split("\0") if name]
    else:
        for folder, inside, found in os.walk(ROOT):
            inside[:] = [name for name in inside if name not in BUILT and not name.endswith("_cache")]
            paths += [Path(folder, name) for name in found]
    return {named(path): path.read_text(encoding="utf-8", errors="replace") for path in paths if path.is_file()}


@all_rows("host", REGISTRIES)
def test_no_registry_is_named(host: str) -> None:
    """Where packages come from is the user's setting, not ours: no file, lock files included, names a registry."""
    assert not [name for name, text in files().items() if host in text]


def test_no_token_is_in_the_repository() -> None:
    """Tests make their tokens; none is written down."""
    assert not [name for name, text in files().items() if "eyJ" in text and JWT.search(text)]


def test_no_home_folder_is_named() -> None:
    """Nothing names a folder of the machine it was written on."""
    suspected = {name: text for name, text in files().items() if any(place in text for place in HOMES)}
    assert not [f"{name}: {found.group()}" for name, text in suspected.items() for found in HOME.finditer(text)]


def test_the_files_are_found() -> None:
    """The three checks above look at something: this file among others."""
    assert named(Path(__file__)) in files()

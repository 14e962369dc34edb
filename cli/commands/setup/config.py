"""`config`: what is set, where and what it means, and how to set it."""

import os
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from accounts.errors import UsageError
from cli.ui.asking import Asker, asker
from cli.ui.options import AsJson
from cli.ui.result import Result, Table
from config import access, paths
from config.errors import RotateError
from config.network.proxy_address import ProxyAddress

if TYPE_CHECKING:
    from config.settings_file import Value

FROM_NOW_ON: Final = "Proxies that run take it over when they are restarted."
WIDTH: Final = 100
"""Columns of what `init` writes."""


class ConfigThere(RotateError):
    exit_code = 2

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"{file} is there already, and `init` never replaces anything. Change it with `codex-rotate config set`, "
            "or move it away."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSetting:
    """A setting in force. `source` is default, file or environment; `where` names it.
    `raw` is the value as it was written; it holds the password that is `masked` in `value`."""

    key: str
    value: Any
    raw: Any
    source: str
    where: str
    line: int | None
    masked: bool


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(help="The settings: what they are, where they come from, and how to change them.")
    group.command("path")(path_command)
    group.command("show")(show_command)
    group.command("explain")(explain_command)
    group.command("get")(get_command)
    group.command("set")(set_command)
    group.command("unset")(unset_command)
    group.command("init")(init_command)
    app.add_typer(group, name="config")


def complete_key(incomplete: str) -> list[str]:
    """For the shell."""
    from config.settings import KEYS

    return [key for key in KEYS if key.startswith(incomplete)]


def complete_value(context: typer.Context, incomplete: str) -> list[str]:
    """For the shell, where the values can be counted."""
    from config.settings import described

    about = described().get(context.params.get("key") or "")
    return [each for each in about.choices if each.startswith(incomplete)] if about else []


Key = Annotated[str, typer.Argument(help="Name of the setting.", show_default=False, autocompletion=complete_key)]

# --- parsing ---------------------------------------------------------------------------------------------------------


def path_command(*, as_json: AsJson = False) -> Result:
    """Print where the file is, whether or not there is one."""
    return config_path(paths.config_file())


def show_command(*, as_json: AsJson = False) -> Result:
    """Show every setting and where its value comes from. Passwords are masked."""
    return show_config(paths.config_file(), os.environ)


def explain_command(
    key: Annotated[
        str | None, typer.Argument(help="Name of the setting; without it, all.", autocompletion=complete_key)
    ] = None,
    *,
    as_json: AsJson = False,
) -> Result:
    """Tell the value of a setting, where it comes from, what it means and what else it may be."""
    return explain_config(paths.config_file(), os.environ, key)


def get_command(
    key: Key,
    *,
    reveal: Annotated[bool, typer.Option("--reveal", help="With the password, if there is one.")] = False,
    as_json: AsJson = False,
) -> Result:
    """Print the value of a setting, for scripts."""
    return get_config(paths.config_file(), os.environ, key, reveal=reveal)


def set_command(
    key: Key,
    value: Annotated[
        list[str] | None,
        typer.Argument(help="Without it, one line from standard input.", autocompletion=complete_value),
    ] = None,
    *,
    as_json: AsJson = False,
) -> Result:
    """Write a setting into the file. What is not allowed is refused, and everything else in the file stays."""
    if value and len(value) > 1:  # not repeated: it may hold a password
        raise UsageError("`config set` takes one value. Put quotes around it: codex-rotate config set KEY 'VALUE'")
    return set_config(paths.config_file(), os.environ, key, value[0] if value else asked(key, asker(yes=False)))


def unset_command(key: Key, *, as_json: AsJson = False) -> Result:
    """Take a setting out of the file, so that its default holds again."""
    return unset_config(paths.config_file(), os.environ, key)


def init_command(*, as_json: AsJson = False) -> Result:
    """Write a file with every setting, its meaning and its default, all commented out. Never replaces one."""
    return init_config(paths.config_file())


# --- reading ---------------------------------------------------------------------------------------------------------


def config_path(file: Path) -> Result:
    """Where the file is."""
    return Result(str(file), {"path": str(file), "exists": access.seen(file)}, verbatim=True)


def show_config(file: Path, environ: Mapping[str, str]) -> Result:
    """A row per setting."""
    found = settings_found(file, environ)
    rows = tuple((each.key, in_words(each.value), f"line {each.line}" if each.line else each.where) for each in found)
    table = Table(columns=("setting", "value", "from"), rows=rows, wrapped=frozenset({"value", "from"}))
    hint = f"Lines are those of {file}. `codex-rotate config explain KEY` tells what a setting means."
    return Result(hint, {"path": str(file), "settings": {each.key: as_data(each) for each in found}}, table=table)


def explain_config(file: Path, environ: Mapping[str, str], key: str | None) -> Result:
    """A paragraph per setting."""
    from config.settings import described

    if key is not None:
        known(key)
    meanings = described()
    told, data = [], {}
    for each in settings_found(file, environ):
        about = meanings[each.key]
        if key in {None, each.key}:
            told.append(
                f"{each.key} = {in_words(each.value)}\n"
                f"  from     {each.where}\n"
                f"  default  {in_words(about.default)}\n"
                f"  allowed  {about.allowed}\n"
                f"  meaning  {about.meaning}"
            )
            rest = {"default": about.default, "allowed": about.allowed, "choices": list(about.choices)}
            data[each.key] = as_data(each) | rest | {"meaning": about.meaning}
    return Result("\n\n".join(told), {"path": str(file), "settings": data})


def get_config(file: Path, environ: Mapping[str, str], key: str, *, reveal: bool) -> Result:
    """One value, alone."""
    known(key)
    found = next(each for each in settings_found(file, environ) if each.key == key)
    value = found.raw if reveal else found.value
    notes = ("The password is masked. Add --reveal to see it.",) if found.masked and not reveal else ()
    return Result("" if value is None else str(value), {"key": key, "value": value}, notes=notes, verbatim=True)


def settings_found(file: Path, environ: Mapping[str, str]) -> list[FoundSetting]:
    """Every setting in force, and where it comes from. Raises ConfigError."""
    from config import settings, settings_file

    content = settings_file.read(file)
    in_force = settings.checked(file, content, environ)
    in_file, in_environ = settings_file.values(file, content), settings.in_environment(environ)
    lines = settings_file.lines(file, content)
    found = []
    for key in settings.KEYS:
        value = getattr(in_force, key)
        source, where, line = "default", "default", None
        if key in in_environ:
            source, where = "environment", settings.variable(key)
        elif key in in_file:
            source, where, line = "file", f"{file}, line {lines[key]}", lines[key]
        masked = isinstance(value, ProxyAddress) and bool(value.authorization)
        raw = in_environ.get(key, in_file.get(key)) if masked else settings.shown(value)
        found.append(
            FoundSetting(
                key=key, value=settings.shown(value), raw=raw, source=source, where=where, line=line, masked=masked
            )
        )
    return found


def known(key: str) -> None:
    """Raises UsageError with the nearest name."""
    from config import settings

    if key not in settings.KEYS:
        told = settings.unknown(key, remedy="The")
        raise UsageError(f"T{told[1:]}")


# --- changing --------------------------------------------------------------------------------------------------------


def set_config(file: Path, environ: Mapping[str, str], key: str, value: str) -> Result:
    """Write one setting, if the whole file can be used then."""
    from config import settings, settings_file

    known(key)

    def edit(before: bytes | None) -> bytes:
        return settings_file.with_setting(file, before, key, typed(file, before, key, value))

    content, changed = settings_file.change(file, edit)
    written = settings.shown(getattr(settings.checked(file, content, {}), key))
    line = settings_file.lines(file, content)[key]
    over = overriding(environ, key)
    done = f"{key} = {in_words(written)}, in {file}, line {line}."
    message = f"{done} {FROM_NOW_ON}" if changed else f"Nothing to change: {done}"
    data = {"key": key, "path": str(file), "changed": changed, "overridden_by": over, "value": written, "line": line}
    return Result(message, data, notes=told_over(over))


def typed(file: Path, before: bytes | None, key: str, value: str) -> "Value":
    """The value as the file is to hold it. Raises ConfigError for one that is not allowed, or a file with mistakes."""
    from config import settings, settings_file

    if value != value.encode("utf-8", "replace").decode():
        raise settings.ConfigError(f"{key}: must be text in UTF-8. Nothing was changed. Type it in a UTF-8 terminal.")
    wrong = settings.mistake(settings_file.values(file, before) | {key: value})
    if wrong is not None and wrong.key == key:
        raise settings.ConfigError(
            f"{key}: {wrong.reason}. Nothing was changed. `codex-rotate config explain {key}` tells what it may be."
        )
    accepted = getattr(settings.checked(file, before, {}, {key: value}), key)
    return accepted if isinstance(accepted, int | float | str) else value.strip()


def unset_config(file: Path, environ: Mapping[str, str], key: str) -> Result:
    """Take one setting out; also one that should not be there."""
    from config import settings, settings_file

    if key not in settings_file.values(file, settings_file.read(file)):
        known(key)

    def edit(before: bytes | None) -> bytes:
        after = settings_file.without_setting(file, before, key)
        trouble = settings.mistake(settings_file.values(file, after))
        if trouble and not settings.mistake(settings_file.values(file, before)):
            raise settings.ConfigError(f"{key} is needed: {trouble.reason}. Nothing was changed. Change that first.")
        return after

    changed = access.seen(file) and settings_file.change(file, edit)[1]
    over = overriding(environ, key)
    name = settings.name_of(key)
    message = f"{name} is no longer set in {file}. {FROM_NOW_ON}" if changed else f"{name} is not set in {file}."
    data = {"key": key, "path": str(file), "changed": changed, "overridden_by": over}
    return Result(message, data, notes=told_over(over))


def init_config(file: Path) -> Result:
    """Write the file that there is not."""
    from config import settings_file

    def edit(before: bytes | None) -> bytes:
        if before is not None:
            raise ConfigThere(file)
        return template().encode()

    settings_file.change(file, edit)
    return Result(f"{file} was written, with every setting commented out.", {"path": str(file)})


def template() -> str:
    """What `init` writes."""
    import tomlkit

    from config.settings import TABLES, described, variable

    lines = [
        "# Settings of codex-rotate. What is commented out is the default; take the # away to change it.",
        f"# A variable wins over this file for one run: {variable('KEY')}.",
    ]
    for key, about in described().items():
        value = "" if about.default is None else about.default
        default = "{}" if key in TABLES else tomlkit.item(value).as_string()
        meaning = textwrap.wrap(
            about.meaning, WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False
        )
        lines += ["", *meaning, f"# Allowed: {about.allowed}", f"# {key} = {default}"]
    return "\n".join([*lines, ""])


# --- telling ---------------------------------------------------------------------------------------------------------


def in_words(value: Any) -> str:
    return "not set" if value is None or value in ("", {}) else str(value)


def as_data(found: FoundSetting) -> dict[str, Any]:
    named = found.where if found.source == "environment" else None
    return {
        "value": found.value,
        "source": found.source,
        "line": found.line,
        "variable": named,
        "masked": found.masked,
    }


def asked(key: str, who: Asker) -> str:
    known(key)
    return who.line(f"Value of {key}:", "VALUE")


def overriding(environ: Mapping[str, str], key: str) -> str | None:
    """The variable that wins over the file here."""
    from config import settings

    return settings.variable(key) if key in settings.in_environment(environ) else None


def told_over(variable: str | None) -> tuple[str, ...]:
    return (f"{variable} is set in this environment and wins over the file. Unset it.",) if variable else ()

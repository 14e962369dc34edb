"""How help looks: the commands in panels, and examples at the end of each one's text."""

import inspect
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from cli.commands import PANELS
from cli.ui.options import AsJson


class Group(TyperGroup):
    """Its help ends with examples."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super().format_help(ctx, formatter)
        formatter.write(examples(ctx.command_path))


class Command(TyperCommand):
    """Its help ends with examples."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if ctx.ignore_unknown_options:  # `-home` is a value here, and would be read as -h with more after it
            ctx.help_option_names = ["--help"]
            args = ["--help"] if args[:1] == ["-h"] else args
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super().format_help(ctx, formatter)
        formatter.write(examples(ctx.command_path))


def examples(command_path: str) -> str:
    """What help ends with. Typer's own way, an epilogue, has no line ends in some releases and too many in others."""
    from cli.ui.examples import EXAMPLES  # late: a command that is run shows none

    lines = EXAMPLES.get(command_path.partition(" ")[2], ())
    heading = " Example:" if len(lines) == 1 else " Examples:"
    return "\n".join(["", heading, *(f"   {line}" for line in lines), ""]) if lines else ""


def dress(app: typer.Typer) -> None:
    """Give every command of the program its panel and its examples, and its text without line ends in mid-sentence;
    groups get --json."""
    app.info.cls = Group
    placed = {
        name: (panel.heading, line)
        for panel in PANELS.values()
        for names in panel.modules.values()
        for name, line in names.items()
    }
    for command in app.registered_commands:
        command.rich_help_panel, command.short_help = placed[str(command.name)]
    for group in app.registered_groups:
        group.rich_help_panel, group.short_help = placed[str(group.name)]
        if group.typer_instance is not None:
            group.typer_instance.callback()(_group)
            _dress(group.typer_instance)
    _dress(app)


def _group(*, as_json: AsJson = False) -> None:
    """A group has the option that everything has, and says what is in it."""


def _dress(app: typer.Typer) -> None:
    for each in app.registered_commands:
        each.cls = Command
        text = inspect.getdoc(each.callback) or ""
        each.help = "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))

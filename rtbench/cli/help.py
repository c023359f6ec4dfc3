"""How `--help` looks: options under the heading of their panel, in plain text of at most 80 columns.

Typer draws panels with rich alone, as boxes in which it breaks long words; a pipe gets the boxes too, and
loading rich makes the help slower. So the options keep Typer's name of a panel (`rich_help_panel`), and are
written here.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

from typer.core import TyperCommand, TyperGroup

from rtbench.cli.renamed_options import refusal

if TYPE_CHECKING:
    import typer
    from typer._click import Command as Described
    from typer._click import Context, HelpFormatter

ARGUMENTS, OPTIONS = "Arguments", "Options"
_NAME = 26
"""Columns of an option's name; a longer one has a line of its own."""
_GAP = 2
_DEFAULT = re.compile(r"(\[default: )\((.+?)\)(?=[;\]])")
"""A default in words, which Typer puts in brackets of its own."""
_LIST = re.compile(r"<list\[(.+)\]>")
"""The values of an option that may be repeated, in the form of Python's types."""


class HelpCommand(TyperCommand):
    """A command whose help has panels, and which names the new name of a renamed option."""

    def format_help_text(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002 - Typer's signature
        """Write what the command does."""
        _write_text(self, formatter)

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write arguments and options, panel by panel."""
        _write_options(self, ctx, formatter)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002 - as above
        """Write the example."""
        _write_epilog(self, formatter)

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read the arguments; an option under its old name is a usage error, with exit code 2."""
        if not ctx.resilient_parsing:  # as for completion, which must not end with a message
            known = {name for param in self.get_params(ctx) for name in (*param.opts, *param.secondary_opts)}
            if message := refusal(ctx.command_path.partition(" ")[2], args, known):
                ctx.fail(message)
            if (option := empty(args)) is not None:
                ctx.fail(f"{option or 'an argument'} is empty; give it a value, or leave it out.")
        return super().parse_args(ctx, args)


class HelpGroup(TyperGroup):
    """A group of commands whose help looks like theirs."""

    def format_help_text(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002 - Typer's signature
        """Write what the commands are for."""
        _write_text(self, formatter)

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the options of the group, then its commands."""
        _write_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002 - as above
        """Write the example."""
        _write_epilog(self, formatter)


def empty(args: Iterable[str]) -> str | None:
    """The option whose value is empty, or '' for another argument that is; None where nothing is.

    Such a value comes of a variable that a script did not set.
    """
    before = ""
    for argument in args:
        name, equals, value = argument.partition("=")
        if not argument or (equals and not value and name.startswith("-")):
            return (name or before) if (name or before).startswith("-") else ""
        before = argument
    return None


def use_plain_help(app: typer.Typer) -> None:
    """Give an application and everything below it the help of this module."""
    app.info.cls = HelpGroup
    for command in app.registered_commands:
        command.cls = HelpCommand
    for group in app.registered_groups:
        if group.typer_instance is not None:
            use_plain_help(group.typer_instance)


def _write_text(command: Described, formatter: HelpFormatter) -> None:
    for paragraph in (command.help or "").split("\n\n"):
        formatter.write_paragraph()
        for line in _wrapped(paragraph, formatter.width - _GAP):
            formatter.write(f"{'':{_GAP}}{line}\n")


def _write_epilog(command: Described, formatter: HelpFormatter) -> None:
    """An example is not wrapped: it is there to be copied."""
    if command.epilog:
        formatter.write_paragraph()
        formatter.write(f"{'':{_GAP}}{command.epilog}\n")


def _write_options(command: Described, ctx: Context, formatter: HelpFormatter) -> None:
    panels: dict[str, list[tuple[str, str]]] = {ARGUMENTS: []}
    for param in command.get_params(ctx):
        default = ARGUMENTS if param.param_type_name == "argument" else OPTIONS
        if (record := param.get_help_record(ctx)) is not None:
            name, text = _LIST.sub(r"<\1>", record[0]), record[1]
            if default == ARGUMENTS:
                name = name.partition(" <")[0]  # Typer adds the type, which the name and its text say
            panel = getattr(param, "rich_help_panel", None) or default
            panels.setdefault(panel, []).append((name, _DEFAULT.sub(r"\1\2", text)))
    # What a command shares with every other comes last.
    panels[OPTIONS] = panels.pop(OPTIONS, [])
    names = [len(name) for rows in panels.values() for name, _ in rows]
    column = max((length for length in names if length <= _NAME), default=_NAME) + _GAP
    for name, rows in panels.items():
        if rows:
            with formatter.section(name):
                _write_rows(rows, column, formatter)


def _write_rows(rows: list[tuple[str, str]], column: int, formatter: HelpFormatter) -> None:
    """Names on the left and their texts on the right, from that column on."""
    left = formatter.current_indent
    for name, text in rows:
        lines = _wrapped(text, formatter.width - left - column) or [""]
        if len(name) > column - _GAP:
            lines.insert(0, "")
        heads = [name, *[""] * len(lines)]
        for head, line in zip(heads, lines, strict=False):
            formatter.write(f"{'':{left}}{head:<{column}}{line}".rstrip() + "\n")


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of a text; no word is broken, least of all an option at its hyphens."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)

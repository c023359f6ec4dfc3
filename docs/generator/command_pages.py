"""The command reference, made from the command line's own objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from markdown import HEADER, code, table, toctree

from rtbench.cli.app import app

OPTIONS = "Options"
"""Panel of the options that name none."""


def commands() -> dict[str, Any]:
    """All commands that do something, as click's objects, by name: 'run', 'train rt1', ..."""
    return dict(_walk(typer.main.get_command(app), ()))


def pages() -> dict[str, str]:
    """A page a command, by path below the generated pages, and one that lists them."""
    found = commands()
    rows = [(f"[`rtbench {name}`]({_file(name)})", _sentence(command)) for name, command in found.items()]
    listing = (
        f"{HEADER}# Commands\n\n"
        "Each command has `--help` with an example. `rtbench --install-completion` installs completion for "
        "your shell.\n\n"
        + table(("command", "what it does"), rows)
        + "\n"
        + toctree((_file(name) for name in found), hidden=True)
    )
    return {"commands/index.md": listing} | {
        f"commands/{_file(name)}": _page(name, command) for name, command in found.items()
    }


def _walk(command: Any, above: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield " ".join(above), command
        return
    for name, child in command.commands.items():
        if not child.hidden:
            yield from _walk(child, (*above, name))


def _file(name: str) -> str:
    return name.replace(" ", "-") + ".md"


def _sentence(command: Any) -> str:
    return str(command.short_help or (command.help or "").strip().split("\n")[0])


def _page(name: str, command: Any) -> str:
    context = command.make_context(f"rtbench {name}", [], resilient_parsing=True)
    usage = " ".join([f"rtbench {name}", *command.collect_usage_pieces(context)])
    parts = [f"{HEADER}# rtbench {name}\n", f"{_prose(command.help)}\n", f"```text\n{usage}\n```\n"]
    arguments = [p for p in command.params if p.param_type_name == "argument" and not p.hidden]
    if arguments:
        rows = [(code(p.get_help_record(context)[0].split()[0]), _help(p)) for p in arguments]
        parts.append("## Arguments\n\n" + table(("argument", "meaning"), rows))
    panels: dict[str, list[Any]] = {}
    for option in command.params:
        if option.param_type_name == "option" and not option.hidden:
            panels.setdefault(getattr(option, "rich_help_panel", None) or OPTIONS, []).append(option)
    for panel, options in panels.items():
        rows = [_row(option, context) for option in options]
        parts.append(f"## {panel}\n\n" + table(("option", "meaning", "default"), rows))
    if command.epilog:
        parts.append(f"```text\n{command.epilog.replace('Example:', '').strip()}\n```\n")
    return "\n".join(parts)


def _prose(text: str | None) -> str:
    return "\n\n".join(" ".join(block.split()) for block in (text or "").split("\n\n"))


def _row(option: Any, context: Any) -> tuple[str, str, str]:
    return code(option.get_help_record(context)[0]), _help(option), _default(option, context)


def _help(parameter: Any) -> str:
    return " ".join((getattr(parameter, "help", None) or "").split())


def _default(option: Any, context: Any) -> str:
    if option.required:
        return "required"
    if isinstance(option.show_default, str):
        return option.show_default
    value = option.get_default(context, call=False)
    if value is None or value is False or value == () or callable(value):
        return ""
    return code(str(getattr(value, "value", value)))

"""Options that several commands have, and values that several read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from rtbench.errors import UnknownNameError

Content = Annotated[
    list[Path] | None,
    typer.Option("--content", metavar="DIR", help="Folder with envs/, tasks/ or policies/; may be repeated."),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "--workers",
        "-j",
        min=1,
        metavar="N",
        help="Worker processes.",
        show_default="cores, at most 8",
    ),
]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of runs.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def one_of(option: str, value: str, allowed: Sequence[str]) -> str:
    """The value if it is allowed, or an UnknownNameError with the nearest that is."""
    if value not in allowed:
        raise UnknownNameError("value", value, allowed, where=option)
    return value

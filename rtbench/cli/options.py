"""Options that several commands have."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Rule(StrEnum):
    """What counts as a success."""

    SUCCESS = "success"
    EVER = "ever"
    HELD = "held"


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
MaxErrors = Annotated[
    float, typer.Option(min=0, max=1, metavar="SHARE", help="Stop when more episodes than this are errors.")
]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of runs.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Partial = Annotated[
    bool, typer.Option("--allow-partial", help="Leave out episodes that differ, instead of refusing.")
]
Rules = Annotated[Rule, typer.Option("--rule", help="What counts as a success.")]
Only = Annotated[str, typer.Option(metavar="NAME", help="Only the episodes of this one.", show_default=False)]

"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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

"""Options of `rtbench vqa`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from rtbench.cli.options import Jobs

SETS = ("symbols", "tools", "cups", "snacks", "seen")
"""Sets of objects that are drawn where none is named; those of `rtbench.data.vqa.picture`."""
MOST_PAIRS = 16


@dataclass(frozen=True, kw_only=True)
class VqaOptions:
    """The options as they were given."""

    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="HDF5 file to write.")]
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, metavar="N", help="Number of pictures to make.")
    ] = 1000
    pairs: Annotated[
        int,
        typer.Option(min=1, max=MOST_PAIRS, metavar="N", help="Number of questions about each picture."),
    ] = 8
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Number of the draw.")] = 0
    size: Annotated[
        str, typer.Option(metavar="SIZE", help="Height and width of the pictures, such as 128x160.")
    ] = "128x160"
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME",
            help="Set of objects to draw from; give it once for each. Without symbols no card is seen.",
            show_default=", ".join(SETS),
        ),
    ] = None
    emoji: Annotated[
        bool,
        typer.Option(
            "--emoji", help="Add names of things in 13 languages, from the package emoji of the extra train."
        ),
    ] = False
    jobs: Jobs = None

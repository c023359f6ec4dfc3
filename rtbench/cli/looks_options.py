"""Options of `rtbench looks`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from rtbench.cli.options import Content
from rtbench.cli.options_object import Panel

DRAWING = "Drawing"
OUTPUT = "Output and machine"


@dataclass(frozen=True, kw_only=True)
class LooksOptions:
    """The options as they were given."""

    file: Annotated[Path, typer.Argument(metavar="FILE", help="HDF5 file of `rtbench demos`.")]
    number: Annotated[
        int,
        typer.Option(
            "--looks",
            min=0,
            metavar="N",
            help="Number of looks of each demonstration.",
            rich_help_panel=DRAWING,
        ),
    ] = 1
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Number of the draw of looks.", rich_help_panel=DRAWING)
    ] = 0
    own: Annotated[
        bool,
        typer.Option(
            "--own", help="Also draw each demonstration in the room's own look.", rich_help_panel=DRAWING
        ),
    ] = False
    frames: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Number of frames of each look, of random steps, which are the same in each look. Only for "
            "networks that see one frame.",
            show_default="all",
            rich_help_panel=DRAWING,
        ),
    ] = None
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="HDF5 file to write.", rich_help_panel=OUTPUT),
    ]
    content: Annotated[Content, Panel(OUTPUT)] = None
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "--workers",
            "-j",
            min=1,
            metavar="N",
            help="Number of processes that draw.",
            show_default="number of CPU cores, at most 8",
            rich_help_panel=OUTPUT,
        ),
    ] = None

"""Options of `rtbench distill`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from rtbench.cli.options import Jobs
from rtbench.cli.options_object import Panel
from rtbench.cli.training_options import (
    DATA,
    NETWORK,
    OPTIMIZATION,
    OUTPUT,
    Balance,
    Bf16,
    Episodes,
    GradClip,
    Lr,
    Minutes,
    Output,
    Seed,
    Steps,
    Threads,
)


@dataclass(frozen=True, kw_only=True)
class DistillOptions:
    """The options as they were given."""

    teacher: Annotated[Path, typer.Argument(metavar="FILE", help="File of RT-2 weights.")]
    data: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE",
            help="File of demonstrations, as `rtbench demos` writes it. Give it once for each file.",
            rich_help_panel=DATA,
        ),
    ]
    balance: Balance = False
    init: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File of RT-1 weights of size small that the student begins with.",
            show_default="random weights",
            rich_help_panel=NETWORK,
        ),
    ] = None
    temperature: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=100,
            metavar="T",
            help="Temperature of both distributions in the soft loss.",
            rich_help_panel=OPTIMIZATION,
        ),
    ] = 2.0
    hard_weight: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            metavar="SHARE",
            help="Weight of the demonstrations' own tokens; the teacher's distributions have the rest.",
            rich_help_panel=OPTIMIZATION,
        ),
    ] = 0.5
    steps: Steps = 10_000
    batch: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Batch size: the number of frames of a step.",
            rich_help_panel=OPTIMIZATION,
        ),
    ] = 32
    lr: Lr = 5e-4
    grad_clip: GradClip = 1.0
    output: Output
    minutes: Minutes = None
    episodes: Episodes = 16
    seed: Seed = 0
    bf16: Bf16 = False
    threads: Threads = None
    jobs: Annotated[Jobs, Panel(OUTPUT)] = None

"""Options that the trainings of all policies share, and the panels of their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DATA = "Data"
NETWORK = "Network"
OPTIMIZATION = "Optimization"
AUXILIARY = "Auxiliary loss"
OUTPUT = "Output and machine"

Balance = Annotated[
    bool,
    typer.Option(
        "--balance",
        help="Equal frequency of all skills, whatever the number of their demonstrations.",
        rich_help_panel=DATA,
    ),
]
Steps = Annotated[
    int,
    typer.Option(min=1, metavar="N", help="Number of optimizer steps in all.", rich_help_panel=OPTIMIZATION),
]
Lr = Annotated[
    float, typer.Option(min=0, metavar="X", help="Peak learning rate.", rich_help_panel=OPTIMIZATION)
]
GradClip = Annotated[
    float,
    typer.Option(
        min=0,
        metavar="X",
        help="Largest norm of the gradient. 0 means no limit.",
        rich_help_panel=OPTIMIZATION,
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="Folder of the training. Its name becomes the policy's.",
        rich_help_panel=OUTPUT,
    ),
]
Minutes = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="M",
        help="Time limit in minutes, with everything saved by then.",
        show_default="no limit",
        rich_help_panel=OUTPUT,
    ),
]
Episodes = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="N",
        help="Number of episodes of each of the five closed-loop evaluations. 0 means none.",
        rich_help_panel=OUTPUT,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="N",
        help="Seed of the first weights, the order of the data, augmentation and dropout.",
        rich_help_panel=OUTPUT,
    ),
]
Bf16 = Annotated[
    bool,
    typer.Option(
        "--bf16",
        help="Computation in bfloat16 on a CPU too, which is faster on one with AVX512-BF16.",
        rich_help_panel=OUTPUT,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1024,
        metavar="N",
        help="Number of CPU threads.",
        show_default="number of CPU cores",
        rich_help_panel=OUTPUT,
    ),
]

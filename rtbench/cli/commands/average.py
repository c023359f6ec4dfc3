"""`rtbench average`: makes a policy of the average of several RT-1s' weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "Example:  rtbench average first.safetensors second.safetensors --output mean"


def average(
    weights: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Files of RT-1 weights, two or more.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Folder of the average. Its name becomes the policy's."
        ),
    ],
    share: Annotated[
        list[float] | None,
        typer.Option(
            metavar="SHARE",
            help="Share of a file, from 0 to 1. Given once for each file, in their order.",
            show_default="equal shares",
        ),
    ] = None,
) -> None:
    """Make a policy of the average of several RT-1s' weights.

    One must have been trained from the other, or both from a third: the average of unrelated weights is
    noise. It evens out what differs from round to round, and keeps much of what a round forgets. Compare
    success with `rtbench compare`, on the same episodes.
    """
    from rtbench.core.extras import require

    require("train", "rtbench average")
    from rtbench.cli.console import note
    from rtbench.train import weight_average
    from rtbench.train.rt1 import policy_name

    name = policy_name(output)
    note(f"card: {weight_average.average(weights, output, name, share)}")
    note(f"try it: rtbench run --policy {name} --content {output} --suite seen")

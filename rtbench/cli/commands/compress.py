"""`rtbench compress`: makes a smaller copy of an RT-2, and says what that costs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "Example:  rtbench compress mine.safetensors --keep 0.75 --data demos.h5 --output smaller"


class PrecisionName(StrEnum):
    """What the decoder's matrices may be."""

    FLOAT32 = "float32"
    INT8 = "int8"


def compress(
    weights: Annotated[Path, typer.Argument(metavar="FILE", help="File of RT-2 weights.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Folder of the copy. Its name becomes the policy's."
        ),
    ],
    keep: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Share of the decoder's attention heads and hidden channels that is kept.",
            show_default="all",
        ),
    ] = None,
    precision: Annotated[
        PrecisionName, typer.Option(help="Precision of the decoder's matrices, on a CPU.")
    ] = PrecisionName.FLOAT32,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File of demonstrations. Both policies decide for some of its frames, and a table compares "
            "them.",
            show_default="no table",
        ),
    ] = None,
) -> None:
    """Make a smaller or faster copy of an RT-2 as a policy of its own.

    --keep removes whole heads and channels of the decoder, those that matter least by the norms of their
    matrices. Train the copy further with `rtbench train rt2 --init`. --precision int8 computes with
    matrices in eight bits. Compare success with `rtbench compare`, on the same episodes.
    """
    from rtbench.core.extras import require

    require("train", "rtbench compress")
    import torch

    from rtbench.cli.console import note, print_rows
    from rtbench.train import compression
    from rtbench.train.rt1 import policy_name

    torch.set_num_threads(1)
    name = policy_name(output)
    _, card = compression.compress(weights, output, name, keep=keep, precision=precision.value)
    if data is not None:
        rows = [
            {
                "policy": row.name,
                "size": f"{row.megabytes:.1f} MB",
                "decision": f"{row.milliseconds:.0f} ms",
                "tokens": f"{row.agreement:.1%}",
                "actions": f"{row.actions:.1%}",
            }
            for row in compression.measure(output, [f"{name}-original", name], data)
        ]
        heads = {
            "policy": "policy",
            "size": "weights",
            "decision": "first decision",
            "tokens": "equal tokens",
            "actions": "equal actions",
        }
        print_rows(rows, heads, as_json=False)
        note("first decision: with its plan, in processor time on one thread, median over frames.")
    note(f"card: {card}")
    note(f"try it: rtbench run --policy {name} --content {output} --suite seen")

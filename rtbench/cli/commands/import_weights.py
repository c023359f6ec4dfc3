"""`rtbench import`: converts published weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rtbench.core.errors import RtbenchError

EXAMPLE = "Example:  rtbench import rt1 checkpoints/rt1main -o rt1main.safetensors"
SUFFIX = ".safetensors"

app = typer.Typer(
    no_args_is_help=True, help="Convert published weights to rtbench's format.", rich_markup_mode=None
)


class ImportingError(RtbenchError):
    """Weights that cannot be written where they shall be."""


@app.callback()
def _group() -> None:
    """Convert published weights to rtbench's format."""


@app.command(epilog=EXAMPLE, short_help="Convert one of Google's RT-1 checkpoints.")
def rt1(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of the checkpoint, which holds ckpt-N.index.")
    ],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar=f"FILE{SUFFIX}", help="File for the converted weights.")
    ],
) -> None:
    """Convert one of Google's RT-1 checkpoints: rt1main, rt1simreal or rt1multirobot.

    The weights keep RT-1's own action convention and token order. The conversion needs TensorFlow. Playing
    with the weights needs the Universal Sentence Encoder.
    """
    from rtbench.cli.console import print_fields
    from rtbench.core.extras import require
    from rtbench.core.hashing import content_hash

    require("train", "rtbench import")
    from rtbench.policy.rt1.checkpoint import save
    from rtbench.policy.rt1.google_checkpoint import ENCODER, NETWORK, read_released
    from rtbench.policy.rt1.tensorflow_reader import TensorFlowCheckpoint
    from rtbench.policy.rt1.weights import GOOGLE, Origin

    _check_output(output)
    reader = TensorFlowCheckpoint(folder)
    released = read_released(reader)
    about = f"released by Google, imported from {Path(reader.where).name} of {folder.resolve().name}"
    origin = Origin(encoder=ENCODER, encoder_sha256="", about=about, source=GOOGLE)
    save(output, released.network, origin)
    network = released.network
    dead = [name.removeprefix(NETWORK) for name in released.dead]
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print_fields([
        ("checkpoint", reader.where),
        ("size", f"{network.size.name}, {parameters:,} trainable parameters"),
        ("used", f"{released.used} variables"),
        ("not used", [*dead, f"{len(released.optimizer)} variables of the optimizer"]),
        ("convention", network.convention),
        ("language", ENCODER),
        ("weights", str(output)),
        ("sha256", content_hash(output)),
    ])  # fmt: skip


def _check_output(path: Path) -> None:
    """Refuse the output before minutes of work, not after."""
    if path.suffix != SUFFIX:
        raise ImportingError(f"--output {path}: weights are written as {SUFFIX}; give such a name.")
    if not path.parent.is_dir():
        raise ImportingError(f"--output {path}: no folder {path.parent}; make it first.")
    if path.is_dir():
        raise ImportingError(f"--output {path}: is a folder; give a file.")

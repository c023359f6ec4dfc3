"""`rtbench import`: weights that others published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rtbench.core.errors import RtbenchError

EXAMPLE = "Example:  rtbench import rt1 trained_checkpoints/rt1main -o rt1main.safetensors"
SUFFIX = ".safetensors"

app = typer.Typer(no_args_is_help=True, help="Convert weights that others published.", rich_markup_mode=None)


class ImportingError(RtbenchError):
    """Weights that cannot be written where they shall be."""


@app.callback()
def _group() -> None:
    """Convert weights that others published."""


@app.command(epilog=EXAMPLE, short_help="Convert one of Google's RT-1 checkpoints.")
def rt1(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where ckpt-N.index is.")],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar=f"FILE{SUFFIX}", help="The weights to write.")
    ],
) -> None:
    """Convert one of Google's RT-1 checkpoints: rt1main, rt1simreal or rt1multirobot.

    The weights keep RT-1's own action convention and token order. TensorFlow is needed for this only, and
    Universal Sentence Encoder to use them.
    """
    from rtbench.cli.console import print_fields
    from rtbench.core.importing import require
    from rtbench.policy.card import file_hash

    require("rt1", "rtbench import")
    from rtbench.policy.rt1.checkpoint import Origin, save
    from rtbench.policy.rt1.google_checkpoint import ENCODER, NETWORK, read_released
    from rtbench.policy.rt1.tensorflow_reader import TensorFlowCheckpoint

    _check_output(output)
    reader = TensorFlowCheckpoint(folder)
    released = read_released(reader)
    about = f"released by Google, imported from {Path(reader.where).name} of {folder.resolve().name}"
    save(output, released.network, Origin(encoder=ENCODER, encoder_sha256="", about=about))
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
        ("sha256", file_hash(output)),
    ])  # fmt: skip


def _check_output(path: Path) -> None:
    """Before minutes of work, not after."""
    if path.suffix != SUFFIX:
        raise ImportingError(f"--output {path}: weights are written as {SUFFIX}; give such a name.")
    if not path.parent.is_dir():
        raise ImportingError(f"--output {path}: no folder {path.parent}; make it first.")
    if path.is_dir():
        raise ImportingError(f"--output {path}: is a folder; give a file.")

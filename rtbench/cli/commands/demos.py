"""`rtbench demos`: records demonstrations to train on."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtbench.cli.options import Content, Jobs, MaxErrors
from rtbench.cli.policy_arg import PolicyArguments, parse
from rtbench.core.errors import RtbenchError

if TYPE_CHECKING:
    from rtbench.data.collect import Recorded

EXAMPLE = "Example:  rtbench demos -n 1000 --noise 0.3 --output demos.h5"
ORACLE = "oracle"
LEAST_SIZE = 16
"""Pixels below which nothing can be told apart."""


class Labeller(StrEnum):
    """Who says what should have been done."""

    ORACLE = "oracle"


class Keep(StrEnum):
    """Which episodes."""

    SUCCESS = "success"
    ALL = "all"


class DemosError(RtbenchError):
    """A value of an option that cannot be used."""


def demos(  # noqa: PLR0913 - each is an option
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The HDF5 file.")],
    *,
    count: Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="Episodes to play.")] = 100,
    suite: Annotated[str, typer.Option(metavar="NAME", help="Suite with nothing held out in it.")] = "seen",
    skill: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this skill; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Another seed draws other episodes.")] = 0,
    jobs: Jobs = None,
    size: Annotated[
        str, typer.Option(metavar="HxW", help="Height and width of the images in pixels.")
    ] = "128x160",
    noise: Annotated[
        float, typer.Option(min=0, max=1, metavar="SHARE", help="Steps disturbed, to show the way back.")
    ] = 0.0,
    glimpses: Annotated[
        bool, typer.Option("--glimpses", help="Four steps of each episode, from somewhere on its way.")
    ] = False,
    policy: Annotated[
        str, typer.Option(metavar="NAME", help="Who acts, while the oracle says what it would do.")
    ] = ORACLE,
    relabel: Annotated[
        Labeller | None, typer.Option(help="Who labels the steps of another policy.", show_default=False)
    ] = None,
    beta: Annotated[
        float,
        typer.Option(min=0, max=1, metavar="SHARE", help="Steps in which the oracle acts all the same."),
    ] = 0.0,
    keep: Annotated[
        Keep | None,
        typer.Option(help="Which episodes to keep.", show_default="success; all of glimpses and policies"),
    ] = None,
    content: Content = None,
    policy_arg: PolicyArguments = None,
    max_errors: MaxErrors = 0.1,
) -> None:
    """Record demonstrations of the oracle to train a policy on, in robomimic's HDF5 layout.

    The same command goes on where one was stopped or killed, and appends for a greater N. No episode has a
    seed of an evaluation, and none holds a pair, object or background that is held out. With --policy NAME
    --relabel oracle, that policy acts and the oracle says of each step what it would have done (DAgger).
    With --glimpses the oracle first goes some way unseen: twice as many scenes in the same time.
    """
    from rtbench.cli.console import console
    from rtbench.data.collect import Recording, collect
    from rtbench.evaluation.progress import Display
    from rtbench.evaluation.scheduler import Limits

    _check(policy, relabel, beta)
    if policy == ORACLE and policy_arg:
        raise DemosError(f"--policy-arg {policy_arg[0]}: the oracle takes none; give --policy NAME too.")
    recording = Recording(
        suite=suite,
        skills=tuple(skill or ()),
        seed=seed,
        size=_size(size),
        noise=noise,
        glimpses=glimpses,
        policy=policy,
        beta=beta,
        keep_failures=None if keep is None else keep is Keep.ALL,
        arguments=parse(policy_arg or ()),
        content=tuple(content or ()),
    )
    with Display(console()) as display:
        done = collect(
            recording, count, output, workers=jobs, reporter=display, limits=Limits(error_share=max_errors)
        )
    _report(output, done)


def _check(policy: str, relabel: Labeller | None, beta: float) -> None:
    if policy != ORACLE and relabel is None:
        raise DemosError(f"--policy {policy}: what it does is no demonstration; add --relabel {ORACLE}.")
    if policy == ORACLE and beta:
        raise DemosError(f"--beta {beta:g}: mixes the oracle into another policy; give --policy NAME too.")


def _size(text: str) -> tuple[int, int]:
    """Height and width [pixels]."""
    from rtbench.core.episode import IMAGE_HEIGHT, IMAGE_WIDTH

    found = re.fullmatch(r"([0-9]{1,4})x([0-9]{1,4})", text)
    height, width = (int(found[1]), int(found[2])) if found else (0, 0)
    if not (LEAST_SIZE <= height <= IMAGE_HEIGHT and LEAST_SIZE <= width <= IMAGE_WIDTH):
        least, most = f"{LEAST_SIZE}x{LEAST_SIZE}", f"{IMAGE_HEIGHT}x{IMAGE_WIDTH}"
        raise DemosError(f"--size {text}: expected HEIGHTxWIDTH, {least} to {most}, such as 128x160.")
    return height, width


def _report(output: Path, done: Recorded) -> None:
    """What is in the file, and what is not."""
    from collections import Counter

    from rtbench.cli.console import console, note, print_rows
    from rtbench.data.demonstration import Demonstrations

    with Demonstrations(output) as found:
        demos, frames, skills = Counter(found.skills), Counter[str](), found.skills
        for name, steps in zip(skills, found.lengths, strict=True):
            frames[name] += int(steps)
        total, steps = len(found), found.frames
    rows = [{"skill": name, "demos": demos[name], "frames": frames[name]} for name in sorted(demos)]
    print_rows(rows, {"skill": "skill", "demos": "demos", "frames": "frames"}, as_json=False)
    size = f"{output.stat().st_size / 1e6:.1f} MB"
    console().print(
        f"demonstrations: {total}, frames: {steps}, {size}: {output}", markup=False, soft_wrap=True
    )
    if done.failed:
        note(f"episodes that failed and were not kept: {done.failed}.")
    if done.errors:
        note(f"episodes that were errors: {done.errors}; the same command plays them again.")

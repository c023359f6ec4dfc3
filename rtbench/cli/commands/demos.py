"""`rtbench demos`: records demonstrations to train on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rtbench.cli.demos_options import ORACLE, DemosOptions, Keep
from rtbench.cli.image_size import image_size
from rtbench.cli.options_object import takes
from rtbench.cli.policy_arg import parse
from rtbench.core.errors import RtbenchError

if TYPE_CHECKING:
    from rtbench.data.collect import Recorded, Recording

EXAMPLE = "Example:  rtbench demos -n 1000 --noise 0.3 --output demos.h5"


class DemosError(RtbenchError):
    """A value of an option that cannot be used."""


@takes(DemosOptions)
def demos(options: DemosOptions) -> None:
    """Record demonstrations of the oracle to train a policy on, in robomimic's HDF5 layout.

    The same command continues a recording that was stopped or killed, and appends for a greater N. No episode
    has a seed of an evaluation, and none holds a pair, object or background that is held out. With --policy
    NAME --relabel oracle, that policy acts and the oracle labels its steps (DAgger). With --short-segments,
    the oracle first acts for some steps that are not recorded: twice as many scenes in the same time.
    """
    from rtbench.cli.console import console
    from rtbench.data.collect import collect
    from rtbench.evaluation.plan import Limits
    from rtbench.evaluation.progress import Display

    _check(options)
    recording = _recording(options)
    limits = Limits(error_share=options.max_errors)
    with Display(console()) as display:
        done = collect(
            recording, options.limit, options.output, workers=options.jobs, reporter=display, limits=limits
        )
    _report(options.output, done)


def _recording(options: DemosOptions) -> Recording:
    from rtbench.data.collect import Recording

    return Recording(
        suite=options.suite,
        skills=tuple(options.skill or ()),
        seed=options.seed,
        size=image_size(options.size),
        cameras=tuple(name.strip() for name in options.cameras.split(",")),
        noise=options.noise,
        short_segments=options.short_segments,
        shift_start=options.shift_start,
        states_only=options.states_only,
        policy=options.policy,
        beta=options.beta,
        keep_failures=None if options.keep is None else options.keep is Keep.ALL,
        arguments=parse(options.policy_arg or ()),
        content=tuple(options.content or ()),
        robot=options.robot,
    )


def _check(options: DemosOptions) -> None:
    policy = options.policy
    if policy != ORACLE:
        if options.relabel is None:
            raise DemosError(f"--policy {policy}: its actions are no demonstration; add --relabel {ORACLE}.")
        return
    if options.beta:
        raise DemosError(
            f"--beta {options.beta:g}: mixes the oracle into another policy; give --policy NAME too."
        )
    if options.policy_arg:
        raise DemosError(
            f"--policy-arg {options.policy_arg[0]}: the oracle takes none; give --policy NAME too."
        )


def _report(output: Path, done: Recorded) -> None:
    """Print a table of the file, and the numbers of episodes that are not in it."""
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

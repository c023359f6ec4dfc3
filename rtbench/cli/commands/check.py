"""`rtbench check`: finds mistakes in tasks, instructions and suites, and in what a policy's numbers mean."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from rtbench.cli.options import DEFAULT_ROBOT, Content, Json, Robot
from rtbench.cli.policy_arg import PolicyArguments, parse
from rtbench.core.errors import Exit

if TYPE_CHECKING:
    from rtbench.task.audit.finding import Finding
    from rtbench.task.library import Library
    from rtbench.task.suite import Suite

SEEN = "seen"
"""Suite whose rules an own task without a suite is played by."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Check tasks and policies for mistakes that make an evaluation unfair or impossible.",
    epilog="Example:  rtbench check tasks --content my_content",
)


@app.callback()
def check() -> None:
    """Check tasks and policies for mistakes that make an evaluation unfair or impossible."""


@app.command(epilog="Example:  rtbench check tasks --content my_content --play 3")
def tasks(
    suite: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Suite to check: its name, or a YAML file. May be repeated.",
            show_default="all suites",
        ),
    ] = None,
    content: Content = None,
    play: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", show_default="1 for your own tasks or with --robot, else 0",
            help="Number of episodes of each task that the oracle plays, to see whether it can be solved.",
        ),
    ] = None,
    robot: Robot = DEFAULT_ROBOT,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Check every instruction against its scene and its goal.

    What an instruction names is in the scene, it fits one object only, and it matches the goal. With --robot,
    the oracle plays every task of the suites, and those that this robot cannot play are listed, with the
    reason.

    The exit code is 2 if a fault is found.
    """
    from rtbench.cli.console import console, print_rows
    from rtbench.task.audit.checks import inspect
    from rtbench.task.library import Library

    began = time.monotonic()
    library = Library(content or ())
    library.robot(robot)
    origins = library.origins()
    suites = [library.suite(name) for name in suite or library.suites()]
    report = inspect(library.catalogue(), suites, origins)
    if play is None and robot != DEFAULT_ROBOT:
        play = 1
    unplayable = _played(library, [replace(one, robot=robot) for one in suites], origins, play)
    findings = [*report.findings, *unplayable]
    if as_json:
        print_rows([asdict(finding) for finding in findings], {}, as_json=True)
    else:
        for finding in findings:
            console().print(str(finding), markup=False, highlight=False, soft_wrap=True)
        found = f"{len(findings)} faults" if findings else "no fault"
        console().print(
            f"{found} in {report.tasks} tasks with {report.instructions} instructions in "
            f"{len(report.languages)} languages and {len(suites)} suites, "
            f"checked in {time.monotonic() - began:.1f} s",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
        for line in _playable(suites, unplayable) if play else ():
            console().print(f"{robot} can play {line}", markup=False, highlight=False, soft_wrap=True)
    if findings:
        raise typer.Exit(Exit.USAGE)


@app.command(epilog="Example:  rtbench check policy ./my_policy.py:Policy --action bridge-7d")
def policy(  # noqa: PLR0913, PLR0917 - the options of a command
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Policy: a name that `rtbench ls policies` lists, package.module:Class, or ./file.py:Class.",
        ),
    ],
    policy_arg: PolicyArguments = None,
    action: Annotated[
        str | None,
        typer.Option(
            metavar="MAPPING",
            help="What its numbers mean, as of `rtbench run --action`.",
            show_default="as the policy's card says",
        ),
    ] = None,
    episodes: Annotated[
        int, typer.Option(min=4, metavar="N", help="Situations that the policy is asked about.")
    ] = 16,
    images: Annotated[
        bool,
        typer.Option(
            "--images/--no-images",
            help="Whether it is asked with turned, mirrored and recoloured images too, which takes five "
            "times as long.",
        ),
    ] = True,
    content: Content = None,
    as_json: Json = False,
) -> None:
    """Check what a policy's numbers mean.

    The policy is asked in situations in which the right action is known, and what is flipped, permuted or
    inverted is named: directions, gripper, base, units, images, reset, seed, batch, language and chunks.

    The exit code is 2 if a fault is found. A policy that has not learnt the tasks may leave much unclear.
    """
    from rtbench.cli.console import console, print_rows
    from rtbench.evaluation.conformance.probe import probe
    from rtbench.policy.card import build, resolve, with_action
    from rtbench.policy.continuous.named import find_mapping
    from rtbench.task.library import Library

    began = time.monotonic()
    library = Library(content or ())
    card = with_action(
        resolve(name, library, parse(policy_arg or ())), find_mapping(action) if action else None
    )
    findings = probe(build(card), episodes=episodes, images=images, library=library)
    faults = [finding for finding in findings if finding.verdict == "fault"]
    if as_json:
        print_rows([asdict(finding) for finding in findings], {}, as_json=True)
    else:
        for finding in findings:
            console().print(str(finding), markup=False, highlight=False, soft_wrap=True)
        unclear = sum(finding.verdict == "unclear" for finding in findings)
        found = f"{len(faults)} faults" if faults else "no fault"
        console().print(
            f"{found}, {unclear} unclear, of {len(findings)} probes of {card.name} in {episodes} situations, "
            f"in {time.monotonic() - began:.1f} s",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
    if faults:
        raise typer.Exit(Exit.USAGE)


def _playable(suites: Sequence[Suite], unplayable: Sequence[Finding]) -> Iterator[str]:
    """How many of a suite's tasks were played without a finding, one line a suite."""
    out = {finding.what for finding in unplayable}
    for suite in suites:
        tasks = suite.tasks()
        able = sum(task.id not in out for task in tasks)
        yield f"{able} of {len(tasks)} tasks of {suite.name}, {100 * able / len(tasks):.1f} %"


def _played(
    library: Library, suites: Sequence[Suite], origins: Mapping[str, str], count: int | None
) -> list[Finding]:
    """What shows only in the simulator: of the user's own tasks, in a suite or not; of all for a number."""
    if count == 0 or (count is None and not library.roots):
        return []
    from rtbench.task.library import BUNDLED

    ours, default = BUNDLED.tasks(), replace(library.suite(SEEN), robot=suites[0].robot)
    chosen = {name: (task, default) for name, task in library.tasks().items() if name not in ours}
    for suite in reversed(suites):
        chosen |= {task.id: (task, suite) for task in suite.tasks() if count or task.id in chosen}
    if not chosen:
        return []
    from rtbench.env.kitchen import Kitchen
    from rtbench.evaluation.solvability import play

    kitchen = Kitchen(cameras=(), content=library.roots)
    try:
        return list(play(chosen.values(), origins, kitchen, count or 1))
    finally:
        kitchen.close()

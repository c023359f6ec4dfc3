"""`rtbench bench`: what a control step costs on this machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, TypeVar, cast

import typer

from rtbench.cli.options import DEFAULT_ROBOT, Json, Robot

if TYPE_CHECKING:
    from rtbench.core.episode import Episode
    from rtbench.env.kitchen import Kitchen

EXAMPLE = "Example:  rtbench bench --steps 50"
T = TypeVar("T")
PROFILES = ("lean", "full")
RESETS = 8
"""Episodes that are reset to, of as many tasks."""


class StepTimes:
    """Wall times of the parts of a control step."""

    def __init__(self) -> None:
        self._ms: dict[str, list[float]] = {}

    def of(self, part: str, action: Callable[[], T]) -> T:
        """What the action gives; notes its wall time under that part."""
        start = time.perf_counter()
        result = action()
        self._ms.setdefault(part, []).append(1e3 * (time.perf_counter() - start))
        return result

    def share(self, part: str, other: str) -> float:
        """Share of a part in its time and another's, 0 to 1; of sums, for few decisions cost much."""
        own, rest = sum(self._ms[part]), sum(self._ms[other])
        return round(own / (own + rest), 4)

    def medians(self) -> dict[str, float]:
        """Median of each part [ms]."""
        return {part: round(statistics.median(values), 3) for part, values in self._ms.items()}


PARTS = {
    "physics": "80 physics steps",
    "frame": "one frame, 256 x 320",
    "step": "control step with frame",
    "reset": "reset with frame",
    "oracle": "oracle's decision",
}
"""What is timed, in words."""


def bench(
    steps: Annotated[
        int, typer.Option(min=5, max=10_000, metavar="N", help="Number of control steps that are timed.")
    ] = 40,
    *,
    robot: Robot = DEFAULT_ROBOT,
    as_json: Json = False,
) -> None:
    """Measure how long a control step takes on this machine, with each of the two rendering profiles.

    The oracle plays. Its decisions, the parts of a step, and a reset are timed too. The folder benchmarks/
    of the repository compares the step with bare MuJoCo and with other simulators.
    """
    from rtbench.cli.console import console, print_json
    from rtbench.env import gl

    backend = gl.prepare()
    found = {profile: measure(profile, steps, robot) for profile in PROFILES}
    if as_json:
        shares = {profile: costs.share("oracle", "step") for profile, costs in found.items()}
        medians = {profile: costs.medians() for profile, costs in found.items()}
        print_json(
            {
                "robot": robot,
                "renderer": backend.renderer,
                "steps": steps,
                "ms": medians,
                "oracle_share": shares,
            }
        )
        return
    _show(found)
    where = console()
    where.print(f"drawn by {backend.name}: {backend.renderer}", markup=False, soft_wrap=True)
    where.print("Comparisons with bare MuJoCo and with others: benchmarks/README.md in the repository.")


def measure(profile: str, steps: int, robot: str = DEFAULT_ROBOT) -> StepTimes:
    """Wall times of each of `PARTS` while the oracle plays `steps` control steps."""
    from rtbench.env.camera import Profile
    from rtbench.env.kitchen import Kitchen
    from rtbench.task.library import load_suite
    from rtbench.task.suite import episodes

    played = episodes(replace(load_suite("seen"), robot=robot), limit=RESETS)
    kitchen = Kitchen(cameras=("head",), profile=cast("Profile", profile), robot=robot)
    costs = StepTimes()
    try:
        kitchen.begin(played[0])  # compiles the scene and warms the renderer, which is not a reset's cost
        for episode in played:
            costs.of("reset", partial(kitchen.begin, episode))
        _play(kitchen, played, steps, costs)
    finally:
        kitchen.close()
    return costs


def _play(kitchen: Kitchen, played: list[Episode], steps: int, costs: StepTimes) -> None:
    """Let the oracle act, and time each part in the same states."""
    from rtbench.policy.oracle import OraclePolicy

    oracle = OraclePolicy()
    oracle.attach(0, kitchen)
    upcoming = iter(played * steps)
    observation = kitchen.begin(next(upcoming))
    for _ in range(steps):
        if kitchen.terminated:
            observation = kitchen.begin(next(upcoming))
        (tokens,) = costs.of("oracle", partial(oracle.act, [observation], [0]))
        observation = costs.of("step", partial(kitchen.advance, tokens))
        costs.of("physics", partial(kitchen.wait, 1 / 3))
        costs.of("frame", kitchen.frame)


def _show(found: dict[str, StepTimes]) -> None:
    from rich import box
    from rich.table import Table

    from rtbench.cli.console import console

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("median")
    for profile in found:
        table.add_column(profile, justify="right")
    medians = [costs.medians() for costs in found.values()]
    for part, words in PARTS.items():
        table.add_row(words, *(f"{ms[part]:.2f} ms" for ms in medians))
    table.add_section()
    shares = [costs.share("oracle", "step") for costs in found.values()]
    table.add_row("oracle's share of all time", *(f"{100 * share:.0f} %" for share in shares))
    rates = [1e3 / ms["step"] for ms in medians]
    table.add_row("control steps a second", *(f"{rate:.0f}" for rate in rates))
    table.add_row("times real time (3 Hz)", *(f"{rate / 3:.0f}" for rate in rates))
    console().print(table)

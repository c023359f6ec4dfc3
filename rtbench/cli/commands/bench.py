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
    from rich.table import Table

    from rtbench.core.episode import Episode
    from rtbench.env.kitchen import Kitchen
    from rtbench.evaluation.scaling import Point

EXAMPLE = "Example:  rtbench bench --steps 50"
T = TypeVar("T")
PROFILES = ("lean", "full")
MOST_WORKERS = 256
"""Workers that `--workers` takes."""
BAR = 20
"""Characters of the longest bar."""
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
    workers: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,...",
            help="Numbers of workers, such as 1,2,4: whole runs are played with each, and a number is "
            "recommended.",
            show_default="none",
        ),
    ] = None,
    policy: Annotated[str, typer.Option(metavar="NAME", help="Policy that plays, for --workers.")] = "oracle",
    episodes: Annotated[
        int, typer.Option(min=2, max=1000, metavar="N", help="Episodes for each worker, for --workers.")
    ] = 12,
    robot: Robot = DEFAULT_ROBOT,
    as_json: Json = False,
) -> None:
    """Measure how long a control step takes on this machine, with each of the two rendering profiles.

    The oracle plays. Its decisions, the parts of a step, and a reset are timed too. The folder benchmarks/
    of the repository compares the step with bare MuJoCo and with other simulators.

    With --workers, whole runs are played instead, with as many workers as named.
    """
    from rtbench.cli.console import console, print_json
    from rtbench.env import gl

    if workers is not None:
        _scale(policy, _numbers(workers), episodes, robot, as_json=as_json)
        return

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


def _numbers(text: str) -> list[int]:
    from rtbench.cli.against_baseline import OptionConflictError

    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= MOST_WORKERS for part in parts):
        raise OptionConflictError(
            f"--workers {text}: give numbers from 1 to {MOST_WORKERS} with commas between, such as 1,2,4."
        )
    return sorted({int(part) for part in parts})


def _scale(policy: str, numbers: list[int], episodes: int, robot: str, *, as_json: bool) -> None:
    from rtbench.cli.console import console, note, print_json
    from rtbench.evaluation.scaling import measure, recommended
    from rtbench.policy.card import resolve

    card, points = resolve(policy), []
    for number in numbers:
        if not as_json:
            note(f"{number} workers, {number * episodes} episodes ...")
        points.append(measure(card, number, episodes, robot))
    best = recommended(points)
    if as_json:
        told = [{"workers": p.workers, "steps_s": p.steps_s, "policy_share": p.policy_share} for p in points]
        print_json({"policy": policy, "robot": robot, "points": told, "recommended": best})
        return
    console().print(_curve(points))
    console().print(f"recommended: --workers {best}")


def _curve(points: list[Point]) -> Table:
    """The curve as a table with bars."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("workers", "steps/s", "times", "of each", "policy busy"):
        table.add_column(name, justify="right")
    table.add_column("")
    first, most = points[0], max(point.steps_s for point in points)
    for point in points:
        times = point.steps_s / first.steps_s
        each = times * first.workers / point.workers
        table.add_row(
            str(point.workers), f"{point.steps_s:.1f}", f"{times:.2f}", f"{100 * each:.0f} %",
            f"{100 * point.policy_share:.0f} %", "#" * max(1, round(BAR * point.steps_s / most)),
        )  # fmt: skip
    return table

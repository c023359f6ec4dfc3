"""`rtbench plan`: computes how many episodes a comparison needs."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtbench.cli.options import LEAST_ALPHA, MOST_ALPHA, Jobs, Json, Out
from rtbench.core.errors import RunError

if TYPE_CHECKING:
    from rtbench.analysis.sample_size import Odds
    from rtbench.result.run import Run

EXAMPLE = "Example:  rtbench plan --margin 5pp --rate 0.9 --flips 2pp"
RATE, FLIPS = 0.9, 0.05
MOST_JOBS = 8
"""Workers of `rtbench run` by default, on a machine with as many cores."""


def plan(  # noqa: PLR0913 - each is an option
    *,
    margin: Annotated[
        str,
        typer.Option(
            metavar="POINTS",
            help="Largest acceptable drop of the success rate, in percentage points: 5pp, 5% or 0.05.",
        ),
    ] = "5pp",
    power: Annotated[
        float, typer.Option(min=0.5, max=0.9999, metavar="SHARE", help="Probability of the right verdict.")
    ] = 0.8,
    alpha: Annotated[
        float,
        typer.Option(
            min=LEAST_ALPHA,
            max=MOST_ALPHA,
            metavar="SHARE",
            help="Probability of a wrong verdict, one-sided.",
        ),
    ] = 0.05,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="SHARE",
            help="Expected success rate of the baseline.",
            show_default="that of --run, or 0.9",
        ),
    ] = None,
    flips: Annotated[
        str | None,
        typer.Option(
            metavar="POINTS",
            help="Share of episodes that chance alone turns from failure to success, and as many the "
            "other way.",
            show_default="half the noise floor of --run, or 5pp",
        ),
    ] = None,
    drop: Annotated[
        str,
        typer.Option(
            metavar="POINTS",
            help="True drop of the candidate's success rate that is assumed, in percentage points.",
        ),
    ] = "0pp",
    episodes: Annotated[
        int | None,
        typer.Option(
            "--episodes",
            "-n",
            min=1,
            metavar="N",
            help="Number of episodes for which the smallest drop that can be shown is printed.",
            show_default="none",
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Earlier run of a similar policy, by folder or id. Its success rate, noise and times are "
            "used.",
            show_default="none",
        ),
    ] = None,
    jobs: Jobs = None,
    as_json: Json = False,
    out: Out = Path("runs"),
) -> None:
    """Compute how many episodes a comparison needs: for a verdict of `rtbench gate`, and to show a drop.

    With --run, their wall time is estimated too.
    """
    from rtbench.analysis.sample_size import Odds, Risk, paired, smallest_drop, unpaired
    from rtbench.analysis.sample_size import plan as planned
    from rtbench.cli.console import print_fields, print_json
    from rtbench.cli.units import points
    from rtbench.result.locate import find_run

    like = find_run(run, out) if run else None
    odds = Odds(_rate(like) if rate is None else rate, 0.0, points(drop, "--drop"))
    odds = replace(odds, flips=_flips(like, odds) if flips is None else points(flips, "--flips"))
    risk = Risk(alpha, power)
    told: dict[str, Any] = asdict(planned(odds, points(margin), risk))
    if episodes:
        told["episodes"] = episodes
        for need in (paired, unpaired):
            told[f"smallest_drop_{need.__name__}"] = smallest_drop(episodes, odds, risk, need)
    if like and (seconds := _seconds(like)) is not None:
        workers = jobs or min(os.cpu_count() or 1, MOST_JOBS)
        told |= {"episode_s": seconds, "workers": workers, "gate_s": told["gate"] * seconds / workers}
    if as_json:
        print_json(told)
    else:
        print_fields(_fields(told))


def _rate(like: Run | None) -> float:
    found = like.summary.overall.rate if like else RATE
    if found is None:
        raise RunError(f"{like.path if like else ''}: no episode has an outcome; give a --rate.")
    return float(found)


def _flips(like: Run | None, odds: Odds) -> float:
    """Half of the noise that was measured, for it counts both ways; else a guess.

    Never more than there is room for, nor than two runs flip that have nothing to do with each other.
    """
    from rtbench.analysis.gate import read_floor

    floor = read_floor(like.path) if like else None
    return min(floor.rate / 2 if floor else FLIPS, odds.rate * (1 - odds.rate), max(odds.room, 0.0))


def _seconds(like: Run) -> float | None:
    """Mean wall time of an episode in a worker [s]; None where no episode has an outcome."""
    times = [record.times for record in like.records if record.outcome]
    return sum(t.reset + sum(t.loop) for t in times) / len(times) / 1000 if times else None


def _fields(told: dict[str, Any]) -> list[tuple[str, object]]:
    from rtbench.analysis.verdict import percent, points
    from rtbench.core.text import three_figures

    odds, risk = told["odds"], told["risk"]
    margin, other = points(told["margin"]), "on different episodes"
    power = f" (power {percent(round(told['power'], 3))}, summed exactly)" if told["power"] else ""
    verdict = "pass" if odds["drop"] < told["margin"] else "be found a regression"
    found: list[tuple[str, object]] = [
        ("assumed", [
            f"baseline {percent(odds['rate'])} successes, candidate {points(odds['drop'])} worse",
            f"chance alone wins {points(odds['flips'])} and loses as many",
            f"power {percent(risk['power'])}, alpha {percent(risk['alpha'])} one-sided",
        ]),
        ("gate", [
            f"{told['gate']:,} episodes to {verdict} with a margin of {margin}{power}",
            f"{told['gate_unpaired']:,} in each run {other}",
        ]),
        ("a drop", [
            f"{told['detect']:,} episodes to show that a drop of {margin} is one",
            f"{told['detect_unpaired']:,} in each run {other}",
        ]),
    ]  # fmt: skip
    if n := told.get("episodes"):
        drops = told["smallest_drop_paired"], told["smallest_drop_unpaired"]
        same, different = (f"of {points(d)} or more" if d is not None else "of no size" for d in drops)
        found.append((f"{n:,} episodes", f"show a drop {same}; {other} {different}"))
    if "gate_s" in told:
        workers = f"{told['workers']} worker{'' if told['workers'] == 1 else 's'}"
        each = f"{three_figures(told['episode_s'])} s an episode"
        found.append(("time", f"{_clock(told['gate_s'])} for the gate's episodes, with {workers} at {each}"))
    return found


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"

"""`rtbench correlate`: compares success in simulation with success on a real robot."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtbench.cli.options import Json, Out
from rtbench.core.errors import RtbenchError

if TYPE_CHECKING:
    from rich.table import Table

    from rtbench.analysis.sim_to_real import Correlation, Estimate
    from rtbench.result.scores import Scores

EXAMPLE = "Example:  rtbench correlate --simulated simpler_simulated --real simpler"


class ArgumentError(RtbenchError):
    """Runs and files that do not go together."""


def correlate(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN",
            help="Runs, one for each policy: folders, or beginnings of ids. NAME=RUN for a policy that is "
            "called NAME "
            "in the real rates.",
            show_default="none",
        ),
    ] = None,
    *,
    real: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Success rates on the real robot: a CSV file with the columns policy, skill, rate and "
            "trials, a "
            "YAML file, or simpler (the rates that the SIMPLER paper published).",
        ),
    ],
    simulated: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Success rates in simulation, in place of runs: a file of the same form.",
            show_default="none",
        ),
    ] = None,
    out: Out = Path("runs"),
    as_json: Json = False,
) -> None:
    """Compare success rates in simulation with those on a real robot: Pearson's r and MMRV over policies.

    MMRV is the mean maximum rank violation: the real success rate that is lost, on average, by choosing the
    policy that is better in simulation. 0 is best.
    """
    from rtbench.analysis.rates import read_rates, run_rates
    from rtbench.analysis.sim_to_real import correlate as of
    from rtbench.cli.console import console, note, print_json

    if bool(runs) == bool(simulated):
        raise ArgumentError("give either runs or --simulated FILE.")
    truth = read_rates(real)
    found = of(read_rates(simulated) if simulated else run_rates(_runs(runs or (), out), truth.by), truth)
    for sentence in found.notes:
        note(sentence)
    if as_json:
        print_json(found.as_dict())
    else:
        where = console()
        where.print(_table(found))
        where.print("\n".join(_remarks(found)), markup=False)


def _runs(names: Sequence[str], out: Path) -> dict[str, Scores]:
    """Runs by the name that the real rates give their policy."""
    from rtbench.result.locate import find_run, run_folder
    from rtbench.result.scores import load_scores

    found: dict[str, Scores] = {}
    for text in names:
        name, equals, place = text.partition("=")
        if not equals or Path(text).exists():
            name, place = "", text
        run = load_scores(run_folder(place, out) or find_run(place, out).path)
        policy = name or run.name
        if policy in found:
            reason = f"{found[policy].path} and {run.path} are both of policy {policy!r}"
            raise ArgumentError(f"{reason}; make one of them by `rtbench merge`, or say NAME=RUN.")
        found[policy] = run
    return found


def _table(found: Correlation) -> Table:
    from rich import box
    from rich.table import Table

    shown = Table(
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title_justify="left",
        title="simulated against real success",
    )  # fmt: skip
    shown.add_column(found.by, no_wrap=True, max_width=24, overflow="ellipsis")
    for head in ("policies", "r", "95 % CI", "MMRV", "95 % CI"):
        shown.add_column(head, justify="right", no_wrap=True)
    for one in found.groups:
        shown.add_row(one.group, str(len(one.policies)), *_cells(one.r), *_cells(one.mmrv))
    if len(found.groups) > 1:
        shown.add_section()
        shown.add_row("mean", "", *_cells(found.r), *_cells(found.mmrv), style="bold")
    return shown


def _cells(of: Estimate) -> tuple[str, str]:
    value = "-" if of.value is None else f"{of.value:.3f}"
    return value, "-" if of.interval is None else f"{of.interval[0]:.2f} to {of.interval[1]:.2f}"


def _remarks(found: Correlation) -> list[str]:
    """Lines below the table: what is missing and why, the worst orders, how intervals were made."""
    reasons = {one.r.reason: None for one in found.groups} | {one.mmrv.reason: None for one in found.groups}
    texts = [reason for reason in reasons if reason]
    for one in found.groups:
        if worst := one.worst:
            (real, other), (simulated, second) = worst.real, worst.simulated
            texts.append(
                f"{one.group}: {worst.better} beats {worst.worse} on the robot, {100 * real:.0f} % to "
                f"{100 * other:.0f} %, not in simulation, {100 * simulated:.0f} % to {100 * second:.0f} %."
            )
    drawn = sorted({one.resampled for one in found.groups})
    texts.append(f"Intervals: bootstrap of {' or, of few policies, '.join(reversed(drawn))}.")
    texts.append(f"Real rates: {found.source}.")
    return [line for text in texts for line in textwrap.wrap(text, 80, subsequent_indent="  ")]

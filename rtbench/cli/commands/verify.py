"""`rtbench verify`: confirms a run by simulating its tokens again."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtbench.cli.options import Content, Jobs, Out
from rtbench.core.errors import Exit, RunError

if TYPE_CHECKING:
    from rtbench.core.episode import EpisodeResult
    from rtbench.result.record import Record
    from rtbench.result.run import Run
    from rtbench.task.library import Library

EXAMPLE = "Example:  rtbench verify runs/oracle/seen/0123456789ab --sample 20"


def verify(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run: its folder, or the beginning of its id.")],
    *,
    sample: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Number of episodes to verify, always the same ones of a run.",
            show_default="all",
        ),
    ] = None,
    jobs: Jobs = None,
    out: Out = Path("runs"),
    content: Content = None,
) -> None:
    """Confirm a run: simulate its stored tokens again, and compare every state and outcome.

    The policy is not needed. The exit code is 1 if anything differs, and 4 if the run was played with another
    version of MuJoCo.
    """
    from rtbench.cli.console import console, note
    from rtbench.core.errors import NotComparableError
    from rtbench.evaluation import recorded_env
    from rtbench.result.locate import find_run
    from rtbench.task.library import Library

    recorded = find_run(run, out)
    library = Library(content or ())
    if reason := recorded_env.mujoco_differs(recorded):
        raise NotComparableError(f"{recorded.path}: {reason}")
    for change in recorded_env.changes(recorded, library):
        note(change)
    finished = [record for record in recorded.records if record.outcome]
    if not finished:
        raise RunError(f"{recorded.path}: has no finished episode to verify.")
    chosen = _sample(finished, recorded.meta.id, sample)
    report = _compare(chosen, _play(recorded, chosen, library, jobs))
    where = console()
    for line in report.lines:
        where.print(line, markup=False, soft_wrap=True)
    if left_out := len(recorded.records) - len(finished):
        where.print(f"{left_out} episodes that were errors have no outcome to confirm.", markup=False)
    where.print(f"{report.confirmed} of {len(chosen)} episodes confirmed: {recorded.path}", soft_wrap=True)
    if report.confirmed < len(chosen):
        raise typer.Exit(Exit.REGRESSION)


@dataclass(frozen=True)
class _Report:
    confirmed: int
    lines: list[str]


def _sample(records: Sequence[Record], run_id: str, count: int | None) -> list[Record]:
    from rtbench.core.seeding import generator

    if count is None or count >= len(records):
        return list(records)
    ordered = sorted(records, key=lambda record: record.key)
    chosen = generator("verify", run_id).permutation(len(ordered))[:count]
    return [ordered[int(k)] for k in sorted(chosen)]


def _play(recorded: Run, chosen: Sequence[Record], library: Library, jobs: int | None) -> Run:
    """The chosen episodes again, by the policy that plays tokens back: the same harness, another run."""
    from rtbench.cli.console import console
    from rtbench.evaluation import recorded_env
    from rtbench.evaluation.evaluate import Options, evaluate
    from rtbench.evaluation.plan import Limits
    from rtbench.evaluation.progress import Display

    settings, pace = recorded_env.settings(recorded, library), recorded_env.pace(recorded)
    with tempfile.TemporaryDirectory(prefix="rtbench-verify-") as out, Display(console()) as display:
        options = Options(
            arguments={"run": str(recorded.path.resolve())},
            latency=pace.latency,
            profile=settings.profile,
            control_hz=settings.control_hz,
            content=settings.content,
            limits=Limits(error_share=1.0),  # each error is a difference, told below
            reporter=display,
        )
        return evaluate(
            "replay", [record.episode for record in chosen], out=out, workers=jobs, options=options
        )


def _compare(chosen: Sequence[Record], again: Run) -> _Report:
    from rtbench.evaluation.replay import differences

    results = {record.key: record for record in again.records}
    lines, confirmed = [], 0
    for record in chosen:
        second = results[record.key]
        found = [second.error.message] if second.error else differences(record, _as_result(second))
        confirmed += not found
        lines += [f"{record.key} {record.episode.task}: {line}" for line in found]
    return _Report(confirmed, lines)


def _as_result(record: Record) -> EpisodeResult:
    """A finished record in the form that a simulation gives."""
    from rtbench.core.episode import EpisodeResult, Trace

    if record.outcome is None:
        raise ValueError(f"episode {record.key} has no outcome")
    trace = Trace(hashes=list(record.step_hashes))
    simulated = record.simulated_s
    start, late = record.fingerprint, record.true_at_reset
    return EpisodeResult(record.outcome, trace, record.final_hash, start, late, simulated)

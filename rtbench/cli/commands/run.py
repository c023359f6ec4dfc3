"""`rtbench run`: plays a suite with a policy."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rtbench.cli.against_baseline import EpisodeFilter
from rtbench.cli.instruction_ablation import ablated, report_ablation
from rtbench.cli.options_object import takes
from rtbench.cli.policy_arg import parse
from rtbench.cli.run_options import RunOptions
from rtbench.core.errors import Exit, UnknownNameError

if TYPE_CHECKING:
    from rtbench.core.episode import Episode
    from rtbench.evaluation.evaluate import Options
    from rtbench.result.run import Run
    from rtbench.task.library import Library

EXAMPLE = "Example:  rtbench run --policy oracle --suite seen --rounds 2"
SUITE = "seen"
"""The suite that is played where none is named."""


@takes(RunOptions)
def run(options: RunOptions) -> None:
    """Play a suite with a policy, and print success rates with intervals, and control rates.

    The same command continues a run that was interrupted, plays episodes again that were errors, and shows
    the result of a complete one. A policy whose code, arguments or files changed begins a run of its own.

    With --until, the exit code is 0 for a pass, 1 for a regression (the policy is worse than the baseline,
    and by more than the margin as measured) and 3 if the comparison is inconclusive. With --vs, it is 4 if
    the runs cannot be compared.
    """
    from rtbench.task.library import Library

    options.check()
    settings = _settings(options)
    if options.vs is not None:
        _play_against_baseline(settings, options)
        return
    library = Library(options.content or ())
    episodes = _episodes(options, library)
    ablation = ablated(episodes, options.language, library) if options.language else []
    original = _play_and_check(settings, episodes)
    if ablation:
        played = _play(settings, ablation)
        report_ablation(original, played)
        _check_errors(played, options.max_errors)
    if options.repeat > 1:
        _measure_noise(settings, episodes, original, options.repeat)


@dataclass(frozen=True)
class _Settings:
    """How to play, whatever is played."""

    policy: str
    options: Options
    out: Path
    jobs: int | None


def _resolved(file: str) -> str:
    """Its path from the root, for workers; '' for none."""
    return str(Path(file).resolve()) if file else ""


def _settings(options: RunOptions) -> _Settings:
    from rtbench.evaluation.engine import engine
    from rtbench.evaluation.evaluate import Options
    from rtbench.evaluation.latency import Latency
    from rtbench.evaluation.plan import Limits
    from rtbench.policy.continuous.named import find_mapping

    said = {"protocol": options.protocol} if options.protocol else {}
    return _Settings(
        options.policy,
        Options(
            arguments=parse(options.policy_arg or ()) | said,
            latency=Latency.parse(options.latency),
            profile=options.profile.value,
            images=options.images,
            background=(_resolved(options.background), _resolved(options.background_mask)),
            control_hz=options.control_hz,
            action=find_mapping(options.action) if options.action else None,
            content=tuple(map(str, options.content or ())),
            video=_video(options.video),
            limits=Limits(policy_s=options.policy_timeout, error_share=options.max_errors),
            fresh=options.fresh,
            keep_errors=options.keep_errors,
            engine=engine(options.engine.value, options.replicas),
        ),
        options.out,
        options.jobs,
    )


def _play_and_check(settings: _Settings, episodes: Sequence[Episode]) -> Run:
    played = _play(settings, episodes)
    _check_errors(played, settings.options.limits.error_share)
    return played


def _play(settings: _Settings, episodes: Sequence[Episode]) -> Run:
    """Play, and print the table; of a run that breaks off, what there is."""
    from rtbench.cli.console import console
    from rtbench.evaluation.ending import InterruptedRunError, LostPolicyError, TooManyErrorsError
    from rtbench.evaluation.evaluate import evaluate
    from rtbench.evaluation.progress import Display

    before = _summaries(settings.out)
    display = Display(console())
    options = replace(settings.options, reporter=display)
    try:
        with display:
            played = evaluate(
                settings.policy, episodes, out=settings.out, workers=settings.jobs, options=options
            )
    except (InterruptedRunError, LostPolicyError, TooManyErrorsError):
        _print_partial(settings.out, before)
        raise
    _print_tables(played)
    return played


def _play_against_baseline(settings: _Settings, options: RunOptions) -> None:
    """Play a baseline's episodes, perhaps until the difference is decided, and exit with the verdict."""
    from rtbench.analysis.early_stopping import StoppingRule
    from rtbench.cli.against_baseline import EXITS, episodes_of, report_comparison
    from rtbench.result.locate import find_run

    target = options.baseline.target
    baseline = find_run(options.vs or "", options.out)
    chosen = EpisodeFilter(options.suite, options.limit, options.skill or (), options.axis or ())
    episodes = episodes_of(baseline, chosen)
    order = [episode.key for episode in episodes]
    rule = StoppingRule(baseline, order, target, allow_partial=options.allow_partial)
    limits = settings.options.limits
    if target and target.budget_s is not None:
        limits = replace(limits, run_s=target.budget_s)
    stopped = replace(settings, options=replace(settings.options, stopping_rule=rule, limits=limits))
    played = _play(stopped, episodes)
    report_comparison(baseline, played, rule)
    _check_errors(played, options.max_errors)
    if played.meta.decision:
        raise typer.Exit(EXITS[played.meta.decision.verdict])


def _measure_noise(settings: _Settings, episodes: Sequence[Episode], first: Run, times: int) -> None:
    """Play the same episodes with other seeds for the policy, and say how often outcomes flip."""
    from rtbench.analysis.noise_floor import measure
    from rtbench.cli.console import console

    where = console()
    runs = [first]
    for number in range(1, times):
        where.print(f"\nrepeat {number + 1} of {times}", style="bold")
        again = replace(settings, options=replace(settings.options, repeat=number))
        runs.append(_play_and_check(again, episodes))
    found = measure(runs)
    low, high = (100 * bound for bound in found["interval"])
    share = "-" if found["rate"] is None else f"{100 * found['rate']:.1f}"
    where.print(
        f"\nnoise floor: {share} % of outcomes flip between two runs of this policy\n"
        f"({low:.1f} to {high:.1f}; {found['flips']} of {found['pairs']} pairs, {found['episodes']} episodes "
        f"played {times} times)"
    )


def _episodes(options: RunOptions, library: Library) -> list[Episode]:
    from rtbench.cli.console import note
    from rtbench.task.suite import TRAINING_SEED, episodes

    if options.seed >= TRAINING_SEED:
        note(f"demonstrations are recorded under seeds from {TRAINING_SEED} on; a policy may know these.")
    library.robot(options.robot)
    return episodes(
        replace(library.suite(options.suite or SUITE), robot=options.robot),
        rounds=options.rounds,
        limit=options.limit,
        skills=options.skill or (),
        axes=options.axis or (),
        seed=options.seed,
    )


def _video(value: str) -> str:
    from rtbench.evaluation.evaluate import VIDEOS

    if value not in VIDEOS and not (value.isascii() and value.isdigit()):
        raise UnknownNameError("value", value, [*VIDEOS, "N"], where="--video")
    return value


def _print_tables(played: Run) -> None:
    """The table, and where everything is."""
    from rtbench.cli.console import console, note
    from rtbench.report.run_table import tables
    from rtbench.result.folder import VIDEOS

    where = console()
    for shown in tables(played):
        where.print(shown)
    for warning in _warnings(played):
        note(warning)
    films = sum(record.video is not None for record in played.records)
    if films:
        where.print(f"{films} videos: {played.path / VIDEOS}", markup=False, soft_wrap=True)
    where.print(f"results: {played.path}", markup=False, soft_wrap=True)


def _warnings(played: Run) -> list[str]:
    """What a user of a policy of numbers should know before reading its rates."""
    from rtbench.result.clipped import clipping_warnings

    found = clipping_warnings(played.summary.clipped or {})
    if played.meta.policy.action.get("end", {}).get("rule") == "never":
        found.append("this policy never ends an episode: read the column ever, and compare with --rule ever.")
    return found


def _summaries(out: Path) -> set[tuple[Path, int, int]]:
    """Each run with its summary's time and inode, which tell a new one apart; a clock may be set back."""
    from rtbench.result.folder import SUMMARY
    from rtbench.result.locate import run_folders

    found = set()
    for path in run_folders(out):
        with suppress(OSError):
            state = (path / SUMMARY).stat()
            found.add((path, state.st_mtime_ns, state.st_ino))
    return found


def _print_partial(out: Path, before: set[tuple[Path, int, int]]) -> None:
    """What there is of a run that broke off: the one whose summary has just been written."""
    from rtbench.result.run import load_run

    fresh = [path for path, *_ in _summaries(out) - before]
    # Of two, one is another process's run: then none is better than the wrong one.
    if len(fresh) == 1:
        played = load_run(fresh[0])
        if played.records:
            _print_tables(played)


def _check_errors(played: Run, max_errors: float) -> None:
    """Exit with 5 where a complete run has too many errors: a short one is never stopped for them."""
    overall = played.summary.overall
    if overall.errors > max_errors * overall.n:
        from rtbench.cli.console import print_error

        first = next(record for record in played.records if record.error)
        message = first.error.message if first.error else ""
        print_error(
            f"{overall.errors} of {overall.n} episodes were errors; the first: {message} "
            f"Its traceback: rtbench show {played.path}:{first.key}"
        )
        raise typer.Exit(Exit.TOO_MANY_ERRORS)

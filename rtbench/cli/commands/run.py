"""`rtbench run`: plays a suite with a policy."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtbench.cli.against_baseline import ALPHA, CompanyError, Filter, Until, Versus
from rtbench.cli.instruction_ablation import Language, controlled, report
from rtbench.cli.options import Content, Jobs, MaxErrors, Out
from rtbench.cli.policy_arg import PolicyArguments, parse
from rtbench.core.errors import Exit, UnknownNameError

if TYPE_CHECKING:
    from rtbench.core.episode import Episode
    from rtbench.evaluation.evaluate import Options
    from rtbench.result.run import Run

EXAMPLE = "Example:  rtbench run --policy oracle --suite seen --rounds 2"


SUITE = "seen"
"""What is played where nothing is said."""


class Profile(StrEnum):
    """How images are drawn."""

    LEAN = "lean"
    FULL = "full"


def run(  # noqa: PLR0913 - each is an option
    policy: Annotated[
        str, typer.Option(metavar="NAME", help="Name of a policy, package.module:Class or ./file.py:Class.")
    ],
    suite: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of a suite, or a YAML file with one.", show_default="seen"),
    ] = None,
    *,
    rounds: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="In a round each skill has its turns.", show_default="as the suite says"
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, metavar="N", help="At most this many episodes.")
    ] = None,
    skill: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this skill; may be repeated.")
    ] = None,
    axis: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this axis; may be repeated.")
    ] = None,
    language: Annotated[
        Language | None,
        typer.Option(
            help="Play the same scenes again with a blank, another task's, or a shuffled instruction.",
            show_default="true instructions only",
        ),
    ] = None,
    vs: Annotated[
        str | None,
        typer.Option(
            metavar="BASE", help="Play the episodes of that run, and compare with it.", show_default=False
        ),
    ] = None,
    until: Annotated[
        Until | None,
        typer.Option(help="Stop as soon as better or worse is decided.", show_default="all episodes"),
    ] = None,
    margin: Annotated[
        str | None,
        typer.Option(metavar="POINTS", help="The drop that matters, such as 5pp.", show_default=False),
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Chance of a wrong verdict.", show_default=str(ALPHA)),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Begin no episode after it, such as 15m.", show_default="none"),
    ] = None,
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Leave out episodes that began differently in BASE.")
    ] = False,
    repeat: Annotated[
        int, typer.Option(min=1, metavar="K", help="Play the list K times: how often do outcomes flip?")
    ] = 1,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Another seed draws other episodes.")] = 0,
    jobs: Jobs = None,
    out: Out = Path("runs"),
    video: Annotated[
        str, typer.Option(metavar="WHICH", help="Episodes to film: none, fail, all, or the first N.")
    ] = "none",
    latency: Annotated[
        str,
        typer.Option(
            metavar="MS",
            help="Thinking time charged to simulated time: none, milliseconds, or a file of them.",
        ),
    ] = "none",
    profile: Annotated[Profile, typer.Option(help="How images are drawn; full has shadows.")] = Profile.LEAN,
    images: Annotated[
        bool, typer.Option("--images/--no-images", help="Draw the head camera even if the policy wants none.")
    ] = False,
    content: Content = None,
    policy_arg: PolicyArguments = None,
    max_errors: MaxErrors = 0.1,
) -> None:
    """Play a suite with a policy: success rates, intervals and control rates.

    The same command goes on with a run that was stopped, and shows the result of one that is complete.
    With --until it exits with 0 for a pass, 1 for a regression (worse at all, and measured worse by more
    than the margin) and 3 if inconclusive; with --vs, 4 if the runs cannot be compared.
    """
    from rtbench.evaluation.evaluate import Options
    from rtbench.evaluation.latency import Latency
    from rtbench.evaluation.scheduler import Limits

    versus = Versus(vs, until, margin, alpha, budget, allow_partial)
    versus.check({"--rounds": rounds is not None, "--seed": seed != 0, "--language": language is not None,
                  "--repeat": repeat > 1})  # fmt: skip
    if repeat > 1 and language:
        raise CompanyError("--repeat does not go with --language: measure the noise by itself.")
    roots = content or []
    options = Options(
        arguments=parse(policy_arg or ()),
        latency=Latency.parse(latency),
        profile=profile.value,
        images=images,
        content=tuple(map(str, roots)),
        video=_video(video),
        limits=Limits(error_share=max_errors),
    )
    how = _How(policy, options, out, jobs)
    if vs is not None:
        _challenge(how, versus, Filter(suite, limit, skill or (), axis or ()))
        return
    episodes = _episodes(suite or SUITE, roots, _Choice(rounds, limit, skill or (), axis or (), seed))
    control = controlled(episodes, language, roots) if language else []
    truth = _play(how, episodes)
    _judge(truth, max_errors)
    if control:
        played = _play(how, control)
        report(truth, played)
        _judge(played, max_errors)
    if repeat > 1:
        _repeat(how, episodes, truth, repeat)


@dataclass(frozen=True)
class _How:
    """How to play, whatever is played."""

    policy: str
    options: Options
    out: Path
    jobs: int | None


def _play(how: _How, episodes: Sequence[Episode]) -> Run:
    """Play, and print the table; of a run that breaks off, what there is."""
    from rtbench.cli.console import console
    from rtbench.evaluation.evaluate import evaluate
    from rtbench.evaluation.progress import Display
    from rtbench.evaluation.scheduler import InterruptedRunError, TooManyErrorsError

    began = time.time()
    display = Display(console())
    options = replace(how.options, reporter=display)
    try:
        with display:
            played = evaluate(how.policy, episodes, out=how.out, workers=how.jobs, options=options)
    except (InterruptedRunError, TooManyErrorsError):
        _report_partial(how.out, began)
        raise
    _report(played)
    return played


def _challenge(how: _How, versus: Versus, chosen: Filter) -> None:
    """Play a baseline's episodes, perhaps until the difference is decided, and exit with the verdict."""
    from rtbench.analysis.early_stopping import StoppingRule
    from rtbench.cli.against_baseline import EXITS, episodes_of, report_versus
    from rtbench.result.locate import find_run

    target = versus.target
    baseline = find_run(versus.vs or "", how.out)
    episodes = episodes_of(baseline, chosen)
    order = [episode.key for episode in episodes]
    rule = StoppingRule(baseline, order, target, allow_partial=versus.allow_partial)
    limits = how.options.limits
    if target and target.budget_s is not None:
        limits = replace(limits, run_s=target.budget_s)
    played = _play(replace(how, options=replace(how.options, stopping_rule=rule, limits=limits)), episodes)
    report_versus(baseline, played, rule)
    _judge(played, limits.error_share)
    if played.meta.decision:
        raise typer.Exit(EXITS[played.meta.decision.verdict])


def _repeat(how: _How, episodes: Sequence[Episode], first: Run, times: int) -> None:
    """Play the same episodes with other seeds for the policy, and say how often outcomes flip."""
    from rtbench.analysis.noise_floor import measure
    from rtbench.cli.console import console

    where = console()
    runs = [first]
    for number in range(1, times):
        where.print(f"\nrepeat {number + 1} of {times}", style="bold")
        runs.append(_play(replace(how, options=replace(how.options, repeat=number)), episodes))
        _judge(runs[-1], how.options.limits.error_share)
    found = measure(runs)
    low, high = (100 * bound for bound in found["interval"])
    share = "-" if found["rate"] is None else f"{100 * found['rate']:.1f}"
    where.print(
        f"\nnoise floor: {share} % of outcomes flip between two runs of this policy\n"
        f"({low:.1f} to {high:.1f}; {found['flips']} of {found['pairs']} pairs, {found['episodes']} episodes "
        f"played {times} times)"
    )


@dataclass(frozen=True)
class _Choice:
    """Which episodes of a suite."""

    rounds: int | None
    limit: int | None
    skills: Sequence[str]
    axes: Sequence[str]
    seed: int


def _episodes(name: str, roots: Sequence[Path], choice: _Choice) -> list[Episode]:
    from rtbench.cli.console import note
    from rtbench.task.library import load_suite
    from rtbench.task.suite import TRAINING_SEED, episodes

    if choice.seed >= TRAINING_SEED:
        note(f"demonstrations are recorded under seeds from {TRAINING_SEED} on; a policy may know these.")
    return episodes(load_suite(name, roots), **asdict(choice))


def _video(value: str) -> str:
    from rtbench.evaluation.evaluate import VIDEOS

    if value not in VIDEOS and not (value.isascii() and value.isdigit()):
        raise UnknownNameError("value", value, [*VIDEOS, "N"], where="--video")
    return value


def _report(played: Run) -> None:
    """The table, and where everything is."""
    from rtbench.cli.console import console
    from rtbench.report.run_table import tables
    from rtbench.result.folder import VIDEOS

    where = console()
    for shown in tables(played):
        where.print(shown)
    films = sum(record.video is not None for record in played.records)
    if films:
        where.print(f"{films} videos: {played.path / VIDEOS}", markup=False, soft_wrap=True)
    where.print(f"results: {played.path}", markup=False, soft_wrap=True)


def _report_partial(out: Path, began: float) -> None:
    """What there is of a run that broke off: the one whose summary has just been written."""
    from rtbench.result.folder import SUMMARY
    from rtbench.result.locate import run_folders
    from rtbench.result.run import load_run

    written = [path for path in run_folders(out) if (path / SUMMARY).exists()]
    fresh = [path for path in written if (path / SUMMARY).stat().st_mtime >= began]
    # Two at once is somebody else's run too; then better none than the wrong one.
    if len(fresh) == 1:
        played = load_run(fresh[0])
        if played.records:
            _report(played)


def _judge(played: Run, max_errors: float) -> None:
    """Exit with 5 where a complete run has too many errors: a short one is never stopped for them."""
    overall = played.summary.overall
    if overall.errors > max_errors * overall.n:
        from rtbench.cli.console import complain

        first = next(record for record in played.records if record.error)
        message = first.error.message if first.error else ""
        complain(
            f"{overall.errors} of {overall.n} episodes were errors; the first: {message} "
            f"Its traceback: rtbench show {played.path}:{first.key}"
        )
        raise typer.Exit(Exit.TOO_MANY_ERRORS)

"""`rtbench replay`: makes a video of a recorded episode."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtbench.cli.options import Content, Out
from rtbench.core.errors import RtbenchError, RunError

if TYPE_CHECKING:
    from rtbench.core.episode import Outcome
    from rtbench.env.kitchen import Kitchen
    from rtbench.result.locate import Found
    from rtbench.result.video import Film
    from rtbench.task.library import Library

EXAMPLE = "Example:  rtbench replay runs/oracle/seen/0123456789ab:fedcba98"

_VERDICTS = {True: "success", False: "failure"}


def replay(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN:KEY",
            help="Episode: the folder of its run and its key, its key alone, or a run with --episode.",
        ),
    ],
    *,
    episode: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="Key of the episode, or its beginning.", show_default="the one in RUN:KEY"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.mp4",
            help="File for the video.",
            show_default="in videos/ of the run",
        ),
    ] = None,
    out: Out = Path("runs"),
    content: Content = None,
) -> None:
    """Make a video of a recorded episode, by simulating its stored tokens again."""
    from rtbench.cli.console import note, print_fields
    from rtbench.evaluation import recorded_env
    from rtbench.result.folder import VIDEOS
    from rtbench.result.locate import find_episode, find_run, in_run
    from rtbench.task.library import Library

    if output is not None and output.suffix != ".mp4":
        raise RunError(f"-o {output}: videos are MP4; give a file name that ends in .mp4.")
    found = find_episode(what, out) if episode is None else in_run(find_run(what, out), episode)
    library = Library(content or ())
    for change in filter(
        None, (recorded_env.mujoco_differs(found.run), *recorded_env.changes(found.run, library))
    ):
        note(change)
    path = output or found.run.path / VIDEOS / f"{found.record.key}.mp4"
    again = _film(found, library, path)
    for line in again.remarks:
        note(line)
    outcome, error = again.outcome, found.record.error
    verdict = (
        f"error ({error.kind})" if error else f"{_VERDICTS[outcome.end]}, termination {outcome.termination}"
    )
    print_fields([
        ("episode", found.name),
        ("instruction", found.record.episode.instruction),
        ("outcome", f"{verdict}, {outcome.steps} steps"),
        ("video", str(path)),
    ])  # fmt: skip


@dataclass(frozen=True)
class _Again:
    """An episode played again."""

    outcome: Outcome
    remarks: list[str]
    """How it differs from the record, or why it broke off."""


def _film(found: Found, library: Library, path: Path) -> _Again:
    """Play the episode again and write its video."""
    from rtbench.env import gl
    from rtbench.evaluation import recorded_env
    from rtbench.result.video import film

    gl.prepare()
    from rtbench.env.kitchen import make_worker_env

    env = make_worker_env(recorded_env.settings(found.run, library))
    try:
        with film(path, found.record.episode, found.record.plans) as made:
            again = _play(found, env, made)
            made.end(again.outcome)
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(f"{path}: cannot be written: {reason}. Choose another place with -o.") from None
    finally:
        env.close()
    return again


def _play(found: Found, env: Kitchen, made: Film) -> _Again:
    from rtbench.core.episode import Outcome, Trace
    from rtbench.evaluation import recorded_env
    from rtbench.evaluation.film import filmed
    from rtbench.evaluation.replay import differences
    from rtbench.evaluation.rollout import replayed, rollout

    record, trace = found.record, Trace()
    pace = recorded_env.pace(found.run)
    try:
        with filmed(env, made, pace.period) as shown:
            act = replayed(record.token_rows)
            result = rollout(shown, record.episode, act, pace=pace, trace=trace)
    except RtbenchError as error:
        # An episode that was an error ends before its time: where it broke is what one wants to see.
        if made.empty:
            raise
        outcome = Outcome(
            ever=False, end=False, held=False, steps=len(trace.hashes), termination="broke off",
            progress=0.0, subgoals={},
        )  # fmt: skip
        return _Again(outcome, [str(error)])
    return _Again(result.outcome, [f"not as recorded: {line}" for line in differences(record, result)])

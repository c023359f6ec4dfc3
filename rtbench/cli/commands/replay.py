"""`rtbench replay`: makes a video of a recorded episode."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtbench.cli.options import Content, Out
from rtbench.core.errors import RtbenchError, RunError

if TYPE_CHECKING:
    from rtbench.core.episode import EpisodeResult
    from rtbench.result.locate import Found
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
    again = _simulate(found, library)
    path = _write(found, again.result, output)
    for line in again.remarks:
        note(line)
    outcome, error = again.result.outcome, found.record.error
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

    result: EpisodeResult
    remarks: list[str]
    """How it differs from the record, or why it broke off."""


def _simulate(found: Found, library: Library) -> _Again:
    from rtbench.core.episode import Trace
    from rtbench.env import gl
    from rtbench.evaluation import recorded_env
    from rtbench.evaluation.replay import differences
    from rtbench.evaluation.rollout import replayed, rollout

    record = found.record
    gl.prepare()
    from rtbench.env.kitchen import make_worker_env

    env = make_worker_env(recorded_env.settings(found.run, library))
    trace = Trace(keep_frames=True)
    try:
        act = replayed(record.token_rows)
        result = rollout(env, record.episode, act, pace=recorded_env.pace(found.run), trace=trace)
    except RtbenchError as error:
        # An episode that was an error ends before its time: where it broke is what one wants to see.
        if not trace.frames:
            raise
        return _Again(_broken(trace), [str(error)])
    finally:
        env.close()
    return _Again(result, [f"not as recorded: {line}" for line in differences(record, result)])


def _broken(trace: object) -> EpisodeResult:
    """What there is of an episode that broke off, for its video."""
    from rtbench.core.episode import EpisodeResult, Outcome, Trace

    kept = trace if isinstance(trace, Trace) else Trace()
    outcome = Outcome(
        ever=False,
        end=False,
        held=False,
        steps=len(kept.hashes),
        termination="broke off",
        progress=0.0,
        subgoals={},
    )
    return EpisodeResult(outcome, kept, "", {}, true_at_reset=False, simulated_s=0.0)


def _write(found: Found, result: EpisodeResult, output: Path | None) -> Path:
    from rtbench.result.folder import VIDEOS
    from rtbench.result.video import write_video

    place = output.parent if output else found.run.path / VIDEOS
    try:
        if output is None:
            return write_video(place, found.record.episode, result)
        place.mkdir(parents=True, exist_ok=True)
        # Beside its place, so that the last move is within one file system.
        with tempfile.TemporaryDirectory(dir=place) as folder:
            return write_video(Path(folder), found.record.episode, result).replace(output)
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(
            f"{output or place}: cannot be written: {reason}. Choose another place with -o."
        ) from None

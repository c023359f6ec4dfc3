"""`rtbench show`: a suite, task, policy, run or episode in full."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtbench.cli.options import DEFAULT_ROBOT, Content, Out, Robot
from rtbench.core.errors import RtbenchError, nearest

if TYPE_CHECKING:
    from rtbench.core.episode import Episode
    from rtbench.result.run import Run
    from rtbench.task.library import Library
    from rtbench.task.suite import Suite

EXAMPLE = "Example:  rtbench show pick/coke_can-v0 --frame first.png"
PER_AXIS = 4
"""Episodes of each axis on a contact sheet: one row."""


class ShowError(RtbenchError):
    """Nothing has that name, or it has not what is asked for."""


@dataclass(frozen=True)
class _Shown:
    """How to show a thing."""

    describe: Callable[[], None]
    """Prints it."""
    episode: Callable[[], Episode] | None = None
    """An episode with its first frame; None where there is none to see."""
    suite: Suite | None = None
    """A suite, of whose episodes a sheet can be made."""
    run: Run | None = None
    """A run, beside whose rates published ones can stand."""


@dataclass(frozen=True)
class _Drawn:
    """How a task's episode is drawn."""

    seed: int
    robot: str


def show(  # noqa: PLR0913 - each is an option
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="Suite, task, policy or run by name, folder or id; or an episode: RUN:KEY, or its key "
            "alone.",
        ),
    ],
    *,
    frame: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="File for the first camera image of a task or episode.",
            show_default="none",
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="File for a contact sheet of a suite: first images with instructions and goals.",
            show_default="none",
        ),
    ] = None,
    axis: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Axis on the sheet. May be repeated.", show_default="all axes"),
    ] = None,
    per_axis: Annotated[
        int, typer.Option(min=1, max=100, metavar="N", help="Number of episodes of each axis on the sheet.")
    ] = PER_AXIS,
    published: Annotated[
        bool,
        typer.Option("--published", help="Published figures of the papers beside those of a run."),
    ] = False,
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Seed of a task's first image, or of the sheet.")
    ] = 0,
    robot: Robot = DEFAULT_ROBOT,
    out: Out = Path("runs"),
    content: Content = None,
) -> None:
    """Show a suite, task, policy, run or episode in full."""
    from rtbench.cli.console import print_fields
    from rtbench.task.library import Library

    library = Library(content or ())
    library.robot(robot)
    shown = _find(what, out, library, _Drawn(seed, robot))
    if axis and sheet is None:
        raise ShowError("--axis chooses what is on a sheet; add --sheet FILE.png.")
    if published and shown.run is None:
        raise ShowError(f"--published: {what} is no run; `rtbench ls published` lists the figures alone.")
    written: list[tuple[str, object]] = []
    if frame is not None:
        written.append(_frame(what, shown, frame, library))
    if sheet is not None:
        written.append(_sheet(what, shown, sheet, _Sample(tuple(axis or ()), per_axis, seed), library))
    shown.describe()
    print_fields(written)
    if published and shown.run is not None:
        _published(shown.run, library)


def _frame(what: str, shown: _Shown, path: Path, library: Library) -> tuple[str, object]:
    from rtbench.cli.first_frames import write_frame

    if shown.episode is None:
        raise ShowError(f"--frame: {what} has no first frame; give a task or an episode.")
    write_frame(shown.episode(), path, library)
    return "frame", str(path)


@dataclass(frozen=True)
class _Sample:
    """Which episodes of a suite stand on a sheet."""

    axes: tuple[str, ...]
    per_axis: int
    seed: int

    def episodes(self, suite: Suite) -> list[Episode]:
        """The first ones of each axis, in the order of the suite's file."""
        from rtbench.task.suite import episodes

        axes = self.axes or tuple(suite.entry.axes)
        drawn = [episodes(suite, axes=(axis,), limit=self.per_axis, seed=self.seed) for axis in axes]
        return [episode for found in drawn for episode in found]


def _sheet(what: str, shown: _Shown, path: Path, sample: _Sample, library: Library) -> tuple[str, object]:
    from rtbench.cli.first_frames import write_sheet

    if shown.suite is None:
        raise ShowError(f"--sheet: {what} is no suite; --frame writes the first frame of a task or episode.")
    drawn = sample.episodes(shown.suite)
    sheet = write_sheet(f"{shown.suite.name}: {len(drawn)} first frames", drawn, path, library)
    lines = [str(path), f"{len(drawn)} episodes, {sample.per_axis} of each axis"]
    if sheet.unwritten:
        lines.append(f"in English, for want of a font: {', '.join(sheet.unwritten)}")
    return "sheet", lines


def _published(run: Run, library: Library) -> None:
    from rtbench.cli.console import console, note
    from rtbench.cli.published_figures import comparisons

    tables = comparisons(run, library)
    if not tables:
        note("no published figure is an honest counterpart of this run's axes; see `rtbench ls published`.")
    for table in tables:
        console().print(table)


def _find(what: str, out: Path, library: Library, drawn: _Drawn) -> _Shown:
    """Kinds in order: names of content, folders and ids of runs, keys of episodes."""
    return _content(what, library, drawn) or _played(what, out) or _unknown(what, out, library)


def _content(what: str, library: Library, drawn: _Drawn) -> _Shown | None:
    from rtbench.cli import describe
    from rtbench.policy.card import cards
    from rtbench.task.suite import draw

    if what.endswith((".yaml", ".yml")) or what in library.suites():
        suite = replace(library.suite(what), robot=drawn.robot)
        return _Shown(partial(describe.suite, suite), suite=suite)
    tasks = library.tasks()
    by_name = {**tasks, **{task.gym_id: task for task in tasks.values()}}
    if task := by_name.get(what):
        return _Shown(
            partial(describe.task, task),
            lambda: draw(replace(library.home(task), robot=drawn.robot), task, drawn.seed),
        )
    if card := cards(library).get(what):
        return _Shown(partial(describe.policy, card))
    return None


def _played(what: str, out: Path) -> _Shown | None:
    from rtbench.cli import describe
    from rtbench.result import locate

    place, colon, _ = what.rpartition(":")
    if not colon and (locate.run_folder(what, out) or Path(what).is_dir()):
        run = locate.find_run(what, out)
        return _Shown(partial(describe.run, run), run=run)
    if (colon and place) or locate.has_episode(what, out):
        found = locate.find_episode(what, out)
        return _Shown(partial(describe.episode, found), lambda: found.record.episode)
    return None


def _unknown(what: str, out: Path, library: Library) -> _Shown:
    from rtbench.policy.card import cards
    from rtbench.result import locate

    tasks = library.tasks()
    known = {
        **dict.fromkeys(locate.episode_keys(out), "episode"),
        **{str(folder): "run" for folder in locate.run_folders(out)},
        **{folder.name: "run" for folder in locate.run_folders(out)},
        **dict.fromkeys(cards(library), "policy"),
        **{task.gym_id: "task" for task in tasks.values()},
        **dict.fromkeys(tasks, "task"),
        **dict.fromkeys(library.suites(), "suite"),
    }
    close = nearest(what, known)
    hint = f" Did you mean the {known[close]} {close!r}?" if close else ""
    raise ShowError(
        f"nothing is called {what!r}.{hint} See `rtbench ls suites`, `ls tasks`, `ls policies`, `ls runs`."
    )

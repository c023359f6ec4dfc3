"""`rtbench show`: one thing in full, whatever it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtbench.cli.options import Content, Out
from rtbench.errors import RtbenchError, nearest

if TYPE_CHECKING:
    from rtbench.spec import Episode

EXAMPLE = "Example:  rtbench show pick/coke_can-v0 --frame first.png"


class ShowError(RtbenchError):
    """Nothing has that name, or it has no frame."""


@dataclass(frozen=True)
class _Shown:
    """How to show a thing."""

    describe: Callable[[], None]
    """Prints it."""
    episode: Callable[[], Episode] | None = None
    """An episode with its first frame; None where there is none to see."""


def show(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT", help="A suite, task, policy, run folder, or episode: RUN_FOLDER:KEY or KEY."
        ),
    ],
    *,
    frame: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png", help="Write the first frame of a task or episode.", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed of a task's first frame.")] = 0,
    out: Out = Path("runs"),
    content: Content = None,
) -> None:
    """Show a suite, a task, a policy, a run or an episode."""
    roots = content or []
    shown = _find(what, out, roots, seed)
    if frame is not None and shown.episode is None:
        raise ShowError(f"--frame: {what} has no first frame; give a task or an episode.")
    if frame is not None and shown.episode is not None:
        from rtbench.cli.picture import write_frame

        write_frame(shown.episode(), frame, roots)
    shown.describe()
    if frame is not None:
        from rtbench.cli.console import print_fields

        print_fields([("frame", str(frame))])


def _find(what: str, out: Path, roots: Sequence[Path], seed: int) -> _Shown:
    """Kinds in order: names of content, folders and ids of runs, keys of episodes."""
    return _content(what, roots, seed) or _played(what, out) or _unknown(what, out, roots)


def _content(what: str, roots: Sequence[Path], seed: int) -> _Shown | None:
    from rtbench import catalogue
    from rtbench.cli import describe
    from rtbench.policy.card import cards
    from rtbench.suite import draw

    if what.endswith((".yaml", ".yml")) or what in catalogue.load_suite_entries(roots):
        return _Shown(partial(describe.suite, catalogue.load_suite(what, roots)))
    tasks = catalogue.load_tasks(roots)
    by_name = {**tasks, **{task.gym_id: task for task in tasks.values()}}
    if task := by_name.get(what):
        return _Shown(
            partial(describe.task, task),
            lambda: draw(describe.suite_with(task, roots), task, seed),
        )
    if card := cards(roots).get(what):
        return _Shown(partial(describe.policy, card))
    return None


def _played(what: str, out: Path) -> _Shown | None:
    from rtbench.cli import describe, locate

    place, colon, _ = what.rpartition(":")
    if not colon and (locate.run_folder(what, out) or Path(what).is_dir()):
        return _Shown(partial(describe.run, locate.find_run(what, out)))
    if (colon and place) or locate.has_episode(what, out):
        found = locate.find_episode(what, out)
        return _Shown(partial(describe.episode, found), lambda: found.record.episode)
    return None


def _unknown(what: str, out: Path, roots: Sequence[Path]) -> _Shown:
    from rtbench import catalogue
    from rtbench.cli import locate
    from rtbench.policy.card import cards

    tasks = catalogue.load_tasks(roots)
    known = {
        **dict.fromkeys(locate.episode_keys(out), "episode"),
        **{str(folder): "run" for folder in locate.run_folders(out)},
        **{folder.name: "run" for folder in locate.run_folders(out)},
        **dict.fromkeys(cards(roots), "policy"),
        **{task.gym_id: "task" for task in tasks.values()},
        **dict.fromkeys(tasks, "task"),
        **dict.fromkeys(catalogue.load_suite_entries(roots), "suite"),
    }
    close = nearest(what, known)
    hint = f" Did you mean the {known[close]} {close!r}?" if close else ""
    raise ShowError(
        f"nothing is called {what!r}.{hint} See `rtbench ls suites`, `ls tasks`, `ls policies`, `ls runs`."
    )

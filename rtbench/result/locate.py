"""Finds runs and episodes by what a user types: a folder, an id, a key, or the beginning of one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rtbench.core.errors import RunError, UnknownNameError
from rtbench.result.folder import RUN

if TYPE_CHECKING:
    from rtbench.result.record import Record
    from rtbench.result.run import Run
    from rtbench.result.scores import Scores

_HEX = re.compile(r"[0-9a-f]{4,16}")
"""What may be the beginning of a run's id (12 digits) or an episode's key (16)."""
_SHOWN = 8
DEPTH = 4
"""Folders below the one given in which runs are looked for: one more than `rtbench run` makes."""


@dataclass(frozen=True)
class Found:
    """An episode of a run."""

    run: Run
    """The run."""
    record: Record
    """The episode's record."""

    @property
    def name(self) -> str:
        """RUN_FOLDER:KEY, which finds it again."""
        return f"{self.run.path}:{self.record.key}"


def run_folders(out: Path) -> list[Path]:
    """Folders of all runs below a folder, by path."""
    return [folder for folder in runs_below(out, 3) if len(folder.relative_to(out).parts) == 3]


def runs_below(folder: Path, depth: int = DEPTH) -> list[Path]:
    """Folders of runs at most so deep below a folder, by path; what cannot be read has none."""
    found, level = [], [folder]
    for _ in range(depth + 1):
        found += [place for place in level if _is_file(place / RUN)]
        level = [inside for place in level for inside in _folders(place)]
    return sorted(found)


def _folders(place: Path) -> list[Path]:
    try:
        with os.scandir(place) as entries:
            return [place / entry.name for entry in entries if entry.is_dir()]
    except OSError:
        return []


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def may_be_prefix(text: str) -> bool:
    """Whether the text can be the beginning of an id or a key."""
    return bool(_HEX.fullmatch(text))


def run_folder(text: str, out: Path) -> Path | None:
    """The folder of a run: a path, or an id or the beginning of one below `out`; None where there is none.

    Raises:
        RunError: several begin like that.
    """
    path = Path(text)
    if (path / RUN).is_file():
        return path
    if not may_be_prefix(text):
        return None
    matches = [folder for folder in run_folders(out) if folder.name.startswith(text)]
    if len(matches) > 1:
        raise RunError(
            f"{len(matches)} runs begin with {text!r}: {_some(map(str, matches))}. Give more digits."
        )
    return matches[0] if matches else None


def find_run(text: str, out: Path) -> Run:
    """The run of that folder or id; see `find_folder`.

    Raises:
        RunError: it cannot be read.
    """
    from rtbench.result.run import load_run

    return load_run(find_folder(text, out))


def find_scores(text: str, out: Path) -> Scores:
    """What the run of that folder or id scored; see `find_folder`.

    Raises:
        RunError: it cannot be read.
    """
    from rtbench.result.scores import load_scores

    return load_scores(find_folder(text, out))


def find_folder(text: str, out: Path) -> Path:
    """The folder of a run: itself, or an id or the beginning of one below `out`.

    Raises:
        UnknownNameError: no such run.
        RunError: several are meant, or none in a folder.
    """
    folder = run_folder(text, out)
    if folder is None:
        path = Path(text)
        if path.is_dir():
            inside = list(map(str, runs_below(path)))
            hint = f" Runs in it: {_some(inside)}." if inside else ""
            raise RunError(f"{text}: not the folder of a run: it has no {RUN}.{hint}")
        raise UnknownNameError("run", text, map(str, run_folders(out)))
    return folder


def find_episode(text: str, out: Path) -> Found:
    """The episode 'RUN:KEY', or a key in any run below `out`; ids and keys may be cut short.

    Raises:
        UnknownNameError: no such run or episode.
        RunError: several are meant.
    """
    place, colon, key = text.rpartition(":")
    if colon:
        return in_run(find_run(place, out), key)
    matches = list(_everywhere(key, out))
    if not matches:
        raise RunError(f"no episode {key!r} in the runs below {out}; give it as RUN_FOLDER:KEY.")
    if len(matches) > 1:
        names = [found.name for found in matches]
        raise RunError(f"{len(names)} episodes begin with {key!r}: {_some(names)}. Give one of these.")
    return matches[0]


def in_run(run: Run, key: str) -> Found:
    """The episode of a run whose key begins like that.

    Raises:
        UnknownNameError: the run has none.
        RunError: it has several.
    """
    matches = [record for record in run.records if record.key.startswith(key)] if key else []
    if len(matches) > 1:
        names = _some(record.key for record in matches)
        raise RunError(f"{run.path}: {len(matches)} episodes begin with {key!r}: {names}. Give more digits.")
    if not matches:
        raise UnknownNameError("episode", key, (record.key for record in run.records), where=str(run.path))
    return Found(run, matches[0])


def has_episode(text: str, out: Path) -> bool:
    """Whether any run below `out` has an episode whose key begins like that."""
    return may_be_prefix(text) and next(_everywhere(text, out), None) is not None


def episode_keys(out: Path) -> list[str]:
    """Keys of all episodes of all runs below `out`."""
    return [found.record.key for found in _everywhere("", out)]


def _everywhere(key: str, out: Path) -> Iterator[Found]:
    from rtbench.result.run import load_run

    for folder in run_folders(out):
        try:
            run = load_run(folder)
        except RunError:
            continue  # another run's damage is no reason not to find an episode in this one
        for record in run.records:
            if record.key.startswith(key):
                yield Found(run, record)


def _some(names: Iterator[str] | list[str] | map[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:_SHOWN]) + (", ..." if len(listed) > _SHOWN else "")

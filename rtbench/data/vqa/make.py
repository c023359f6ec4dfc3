"""Makes a file of vision-language data in several processes.

What a picture shows and what is asked about it follow from the seed and its number alone. Each part of
`PART` pictures is written whole by one worker into the folder FILE.parts; when all are there, they are put
together in order. So the file does not depend on the number of workers, and a killed command goes on.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from rtbench.core.atomic_write import atomic_write
from rtbench.core.errors import UnknownNameError
from rtbench.core.seeding import generator
from rtbench.data.naming import Naming
from rtbench.data.part_processes import make_parts
from rtbench.data.vision_language import Pair, VisionLanguage, VisionLanguageError, VisionLanguageWriter, read
from rtbench.data.vqa.asking import Asking
from rtbench.data.vqa.commands import command
from rtbench.data.vqa.facts import facts
from rtbench.data.vqa.held_out import HeldOut, held_out
from rtbench.data.vqa.knowledge import knowledge
from rtbench.data.vqa.picture import SETS, Painter, View
from rtbench.data.vqa.questions import MAKERS
from rtbench.task.library import BUNDLED

PART = 50
"""Pictures in a part."""
COMMANDS = 0.25
"""Share of the pairs about a picture that are commands."""
MOST_WORKERS = 8
_TRIES = 12
"""Draws for each pair; a picture without cards has nothing to ask about symbols."""
_FORM = 2
"""Raised where other pairs are made from the same settings."""


@dataclass(frozen=True)
class Making:
    """Settings; all of them decide the result."""

    pictures: int = 1000
    """Number of pictures."""
    pairs: int = 8
    """Questions about each."""
    seed: int = 0
    """Number of the draw."""
    size: tuple[int, int] = (128, 160)
    """Height and width of the pictures [pixels]."""
    sets: tuple[str, ...] = tuple(SETS)
    """Sets of objects that are drawn."""
    emoji: bool = False
    """Add names of things in 13 languages from the package `emoji`."""


@dataclass(frozen=True)
class Made:
    """What was made."""

    pictures: int
    """Pictures."""
    kinds: Mapping[str, int]
    """Kind -> number of pairs."""
    languages: Mapping[str, int]
    """Language -> number of pairs."""
    labels: int
    """Names in the pictures."""
    drawn: int
    """Pictures that this call has drawn itself; the rest was there."""
    pairs: tuple[Pair, ...]
    """All pairs."""


def make(
    making: Making, output: Path, workers: int | None = None, progress: Callable[[int], None] = lambda _: None
) -> Made:
    """Write a file; the same call continues one that was stopped or killed.

    Args:
        making: The settings.
        output: The file.
        workers: Number of processes; None: as many as cores, at most 8.
        progress: Called with the number of pictures that are done.

    Raises:
        VisionLanguageError: a file or parts of other settings, or what cannot be written; a worker that died.
        UnknownNameError: a set that is not drawn.
        FactsError: `emoji` without its package.
    """
    if unknown := [name for name in making.sets if name not in SETS]:
        raise UnknownNameError("set of objects", unknown[0], SETS)
    settings = _settings(making)
    if output.exists():
        if _settings_of(output) != settings:
            raise VisionLanguageError(
                f"{output}: is there, and was made with other settings; remove it or give another name."
            )
        progress(making.pictures)
        return _told(read(output), 0)
    keeping = held_out()
    alone = [p for p in facts(knowledge(), making.sets, emoji=making.emoji) if p not in keeping]
    with _parts(output, settings) as folder:
        job = _Job(making, keeping, folder)
        drawn = _draw(job, workers or min(os.cpu_count() or 1, MOST_WORKERS), progress)
        about = {"settings": settings, "held_out": keeping.summary()}
        with VisionLanguageWriter(output, making.size, **about) as out:
            for number in range(_count(making)):
                _append(read(folder / _name(number)), out)
            for pair in alone:
                out.pair(pair)
        shutil.rmtree(folder, ignore_errors=True)
    return _told(read(output), drawn)


def ask(view: View, making: Making, number: int, keeping: HeldOut) -> list[Pair]:
    """The pairs about the picture of that number; no two with the same question."""
    random = generator("vqa", making.seed, number, "questions")
    asking = Asking(view, knowledge(), random)
    names = list(MAKERS)
    weights = np.array([MAKERS[name][0] for name in names])
    found = dict[str, Pair]()
    for _ in range(_TRIES * making.pairs):
        if len(found) == making.pairs:
            break
        if random.random() < COMMANDS:
            pair = command(asking)
        else:
            pair = MAKERS[names[int(random.choice(len(names), p=weights / weights.sum()))]][1](asking)
        if pair is not None and pair not in keeping:
            found.setdefault(pair.question, pair)
    return list(found.values())


@dataclass(frozen=True)
class _Job:
    """What a worker needs to know."""

    making: Making
    keeping: HeldOut
    """Given, because reading it takes seconds."""
    folder: Path

    def part(self, number: int) -> int:
        """Write a part; returns its number."""
        making = self.making
        painter = _painter(making.seed, making.sets, making.size)
        with VisionLanguageWriter(self.folder / _name(number), making.size) as out:
            for picture in _numbers(making, number):
                view = painter.picture(picture)
                place = out.picture(view.image, view.naming)
                for pair in ask(view, making, picture, self.keeping):
                    out.pair(pair, place)
        return number


def _draw(job: _Job, workers: int, progress: Callable[[int], None]) -> int:
    """Make the parts that are missing; returns the number of their pictures."""
    making = job.making
    missing = [number for number in range(_count(making)) if not (job.folder / _name(number)).exists()]
    there = done = making.pictures - sum(len(_numbers(making, number)) for number in missing)
    progress(done)
    for number in _played(job, missing, workers):
        done += len(_numbers(making, number))
        progress(done)
    return done - there


def _played(job: _Job, missing: list[int], workers: int) -> Iterator[int]:
    """Numbers of the parts, each as it is done."""
    if workers == 1 or len(missing) <= 1:
        yield from map(job.part, missing)
        return
    died = VisionLanguageError(
        f"{job.folder}: a worker died; the same command goes on from here. If it lacked memory, give "
        "--jobs 1."
    )
    yield from make_parts(job.part, missing, workers, died)


@cache
def _painter(seed: int, sets: tuple[str, ...], size: tuple[int, int]) -> Painter:
    return Painter(seed, sets, size)


def _append(part: VisionLanguage, out: VisionLanguageWriter) -> None:
    """Write a part after what is there."""
    ends = np.cumsum([0, *part.naming.counts.tolist()])
    first = 0
    for number, image in enumerate(part.images):
        span = slice(int(ends[number]), int(ends[number + 1]))
        place = out.picture(image, _labels(part.naming, span))
        first = place if number == 0 else first
    for pair, picture in zip(part.pairs, part.pictures.tolist(), strict=True):
        out.pair(pair, first + picture)


def _labels(naming: Naming, span: slice) -> Naming:
    """The labels of one picture."""
    names = naming.names[span]
    return Naming(
        naming.vocabulary, np.array([len(names)], np.int64), names, naming.places[span], naming.shares[span]
    )


def _told(found: VisionLanguage, drawn: int) -> Made:
    return Made(
        pictures=len(found.images),
        kinds=dict(Counter(pair.kind for pair in found.pairs).most_common()),
        languages=dict(Counter(pair.language for pair in found.pairs).most_common()),
        labels=len(found.naming.names),
        drawn=drawn,
        pairs=found.pairs,
    )


def _settings(making: Making) -> dict[str, Any]:
    """All that decides the result, as JSON gives it back."""
    extra = {"emoji_version": version("emoji")} if making.emoji and _has_emoji() else {}
    told = {**asdict(making), "form": _FORM, "content_hash": BUNDLED.content_hash(), **extra}
    found: dict[str, Any] = json.loads(json.dumps(told))
    return found


def _has_emoji() -> bool:
    try:
        version("emoji")
    except ModuleNotFoundError:
        return False
    return True


def _settings_of(output: Path) -> Any:
    try:
        with h5py.File(output, "r") as file:
            return json.loads(file.attrs["settings"])
    except (OSError, KeyError, ValueError):
        return None


@contextmanager
def _parts(output: Path, settings: Mapping[str, Any]) -> Iterator[Path]:
    """The folder of the parts, of which no other process makes use."""
    folder = output.with_name(f"{output.name}.parts")
    lock = -1
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        about = folder / "settings.json"
        if not about.exists():
            with atomic_write(about) as beside:
                beside.write_text(json.dumps(settings), encoding="utf-8")
        if json.loads(about.read_text(encoding="utf-8")) != settings:
            raise VisionLanguageError(
                f"{folder}: was begun with other settings; give those again, or remove the folder."
            )
        yield folder
    except BlockingIOError:
        raise VisionLanguageError(f"{output}: another process is writing it; wait for it to end.") from None
    except OSError as error:
        raise VisionLanguageError(f"{output}: cannot be written: {error.strerror}.") from None
    finally:
        if lock >= 0:
            os.close(lock)


def _count(making: Making) -> int:
    return -(-making.pictures // PART)


def _numbers(making: Making, part: int) -> range:
    """Numbers of the pictures of a part."""
    return range(part * PART, min((part + 1) * PART, making.pictures))


def _name(number: int) -> str:
    return f"{number:05}.h5"

"""Draws the frames of a file of demonstrations again, under random looks, and names what is seen in them.

The work is cut into blocks of a few demonstrations. Each block is drawn by one process into a small file of
its own, which appears whole or not at all, so that a drawing that was killed goes on where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtbench.core.image import shrink
from rtbench.core.seeding import generator
from rtbench.data.demonstration import (
    OWN_LOOK,
    STATES_ONLY,
    Demonstration,
    DemonstrationError,
    Demonstrations,
    Header,
)
from rtbench.data.hdf5_writer import Writer
from rtbench.data.looks import Look, draw_look
from rtbench.data.naming import join
from rtbench.data.part_processes import make_parts
from rtbench.data.shards import Blocks
from rtbench.data.state_renderer import StateRenderer
from rtbench.result.provenance import code_hash
from rtbench.task.library import BUNDLED, Library

BLOCK = 16
"""Demonstrations of a block: some 2 s of work, of which opening and closing its file takes 20 ms."""


@dataclass(frozen=True)
class Redrawing:
    """Settings of a redrawing."""

    looks: int = 1
    """Number of looks of each demonstration; each has looks of its own."""
    seed: int = 0
    """Number of the draw of looks."""
    own: bool = False
    """Whether each demonstration is also drawn in the room's own look, first."""
    frames: int | None = None
    """Frames to draw of a demonstration, the same under each look: the first, in which a plan is made, and
    others of random steps; None: all."""
    library: Library = BUNDLED
    """Where tasks, scenes and objects are read from."""


@dataclass(frozen=True)
class Redrawn:
    """Numbers of a redrawing."""

    demonstrations: int
    """Demonstrations written."""
    frames: int
    """Frames drawn."""
    labels: int
    """Names in them."""


def redraw(
    source: Path,
    output: Path,
    how: Redrawing,
    progress: Callable[[int, int], None] = lambda *_: None,
    *,
    workers: int = 1,
) -> Redrawn:
    """Write the demonstrations of a file under random looks; all but the pictures and keypoints stays.

    The same call goes on with a drawing that was stopped or killed. The file does not depend on the number of
    workers.

    Args:
        source: A file with states, written by `rtbench demos`.
        output: The file to write, whole or not at all.
        how: Settings.
        progress: Called with the numbers of demonstrations of the source that are done, and of all.
        workers: Number of processes; 1: this one alone.

    Raises:
        DemonstrationError: a file that cannot be read or written, is itself redrawn, has no states, or was
            begun with other settings.
    """
    with Demonstrations(source, trusted=False) as file:
        header, count = _header(file, how), len(file)
    blocks = Blocks(output, header, [range(k, min(k + BLOCK, count)) for k in range(0, count, BLOCK)])
    try:
        done = count - sum(len(numbers) for _, numbers in blocks.missing)
        progress(done, count)
        for numbers in _draw_blocks(source, header, how, blocks.missing, workers):
            done += numbers
            progress(done, count)
        blocks.assemble()
    finally:
        blocks.close()
    return _numbers(output)


def draw_again(
    demo: Demonstration, name: str, look: Look | None, renderer: StateRenderer, header: Header
) -> Demonstration:
    """A demonstration with pictures, keypoints and names under a look, which is called by a name.

    Raises:
        DemonstrationError: it has no states, or a picture that no state gives back.
    """
    if demo.states is None or demo.look:
        what = f"is drawn under look {demo.look}" if demo.look else "has no states"
        raise DemonstrationError(
            f"demonstration of episode {demo.episode.key} {what}; give a file that this version's "
            "`rtbench demos` wrote."
        )
    if demo.episode.variant:
        raise DemonstrationError(
            f"demonstration of episode {demo.episode.key} has the variant {demo.episode.variant!r}, which "
            "is held out; give demonstrations of the suite seen."
        )
    drawn = list(renderer.frames(demo.episode, demo.states, look))
    return replace(
        demo,
        images=np.stack([shrink(frame.image, header.size) for frame in drawn]),
        points=np.stack([frame.points for frame in drawn]),
        naming=join([frame.naming for frame in drawn]),
        wrist=None,  # of another look
        look=name,
    )


def only(demo: Demonstration, steps: NDArray[np.int64]) -> Demonstration:
    """Some steps of a demonstration, int64[n], rising."""
    arrays = ("tokens", "labels", "images", "proprio", "hashes", "points", "grips", "states")
    parts = {name: array[steps] for name in arrays if (array := getattr(demo, name)) is not None}
    return replace(demo, **parts)


def _header(file: Demonstrations, how: Redrawing) -> Header:
    """All settings that decide the result, so that a file is not continued with others."""
    looks: dict[str, Any] = {"looks": how.looks, "seed": how.seed, "own": how.own, "code": code_hash()}
    if how.frames is not None:
        looks["frames"] = how.frames
    looks["source"] = hashlib.sha256(" ".join(file.keys).encode()).hexdigest()[:16]
    dropped = (STATES_ONLY, "cameras")  # the head's frames are drawn, and no others
    settings = {name: value for name, value in file.header.settings.items() if name not in dropped}
    return replace(file.header, settings={**settings, "looks": looks})


def _draw_blocks(
    source: Path, header: Header, how: Redrawing, missing: Sequence[tuple[Path, range]], workers: int
) -> Iterator[int]:
    """Draw the missing blocks, and give the number of demonstrations of each as it is done."""
    if workers == 1 or len(missing) < 2:
        renderer = StateRenderer(how.library)
        try:
            for block in missing:
                yield _draw_block(source, header, how, block, renderer)
        finally:
            renderer.close()
        return
    died = DemonstrationError(
        f"{source}: a process that draws was killed, for want of memory perhaps; run the command again, with "
        "fewer --jobs."
    )
    yield from make_parts(partial(_draw_block, source, header, how), missing, workers, died)


_OWN: dict[Library, StateRenderer] = {}
"""This process's renderer, by its library, where it draws many blocks; it ends with the process."""


def _draw_block(
    source: Path,
    header: Header,
    how: Redrawing,
    block: tuple[Path, range],
    renderer: StateRenderer | None = None,
) -> int:
    """Draw the demonstrations of a block into its file, and return how many."""
    path, numbers = block
    if renderer is None:
        renderer = _OWN.setdefault(how.library, StateRenderer(how.library))
    with Demonstrations(source) as file, Writer(path, header) as writer:
        for number in numbers:
            demo = file.demo(number)
            chosen = only(demo, _steps(demo, how))
            for name, look in _looks(demo, how):
                writer.add(draw_again(chosen, name, look, renderer, header))
    return len(numbers)


def _looks(demo: Demonstration, how: Redrawing) -> list[tuple[str, Look | None]]:
    """The looks of a demonstration by name; they depend on its episode, not on its place in the file."""
    own: list[tuple[str, Look | None]] = [(OWN_LOOK, None)] if how.own else []
    key = demo.episode.key
    return own + [(f"{how.seed}/{n}", draw_look(how.seed, key, n)) for n in range(how.looks)]


def _steps(demo: Demonstration, how: Redrawing) -> NDArray[np.int64]:
    """Steps to draw, the same under each look, so that the image-token loss has the same moment in both."""
    if how.frames is None or how.frames >= len(demo):
        return np.arange(len(demo))
    random = generator("frames of a look", how.seed, demo.episode.key)
    others = 1 + random.choice(len(demo) - 1, how.frames - 1, replace=False)
    return np.sort(np.concatenate([[0], others]))


def _numbers(output: Path) -> Redrawn:
    with Demonstrations(output) as file:
        return Redrawn(len(file), file.frames, file.labels)

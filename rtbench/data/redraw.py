"""Draws the frames of a file of demonstrations again, under random looks, and names what is seen in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rtbench.core.image import shrink
from rtbench.data.demonstration import (
    OWN_LOOK,
    Demonstration,
    DemonstrationError,
    Demonstrations,
    Header,
)
from rtbench.data.hdf5_writer import Writer
from rtbench.data.looks import Look, draw_look
from rtbench.data.naming import join
from rtbench.data.state_renderer import StateRenderer
from rtbench.task.library import BUNDLED, Library


@dataclass(frozen=True)
class Redrawing:
    """Settings of a redrawing."""

    looks: int = 1
    """Number of looks of each demonstration; each has looks of its own."""
    seed: int = 0
    """Number of the draw of looks."""
    own: bool = False
    """Whether each demonstration is also drawn in the room's own look, first."""
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
    source: Path, output: Path, how: Redrawing, progress: Callable[[int, int], None] = lambda *_: None
) -> Redrawn:
    """Write the demonstrations of a file under random looks; all but the pictures and keypoints stays.

    Args:
        source: A file with states, written by `rtbench demos`.
        output: The file to write, whole or not at all.
        how: Settings.
        progress: Called with the numbers of demonstrations done, and of all.

    Raises:
        DemonstrationError: a file that cannot be read or written, is itself redrawn, or has no states.
    """
    renderer = StateRenderer(how.library)
    done = frames = labels = 0
    try:
        with Demonstrations(source) as file:
            looks = {"looks": how.looks, "seed": how.seed, "own": how.own}
            settings = {**file.header.settings, "looks": looks}
            with Writer(output, replace(file.header, settings=settings)) as writer:
                for number in range(len(file)):
                    demo = file.demo(number)
                    for name, look in _looks(demo, how):
                        drawn = draw_again(demo, name, look, renderer, file.header)
                        writer.add(drawn)
                        done, frames = done + 1, frames + len(drawn)
                        labels += len(drawn.naming.names) if drawn.naming else 0
                    progress(number + 1, len(file))
    finally:
        renderer.close()
    return Redrawn(done, frames, labels)


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
        look=name,
    )


def _looks(demo: Demonstration, how: Redrawing) -> list[tuple[str, Look | None]]:
    """The looks of a demonstration by name; they depend on its episode, not on its place in the file."""
    own: list[tuple[str, Look | None]] = [(OWN_LOOK, None)] if how.own else []
    key = demo.episode.key
    return own + [(f"{how.seed}/{n}", draw_look(how.seed, key, n)) for n in range(how.looks)]

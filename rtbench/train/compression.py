"""Compressed copies of a policy, and what the compression costs: the work of `rtbench compress`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtbench.core.episode import Observation
from rtbench.core.errors import RtbenchError
from rtbench.data.demonstration import Demonstrations
from rtbench.policy.card import build, resolve
from rtbench.policy.rt2.checkpoint import Model, load, save
from rtbench.policy.rt2.int8 import FLOAT32
from rtbench.task.library import Library
from rtbench.train.pruning import pruned
from rtbench.train.publish import CardText, publish_file
from rtbench.train.rt2 import FACTORY

FRAMES = 4
"""Frames of each demonstration that are compared, evenly spread."""


class CompressionError(RtbenchError):
    """Nothing to compress, or nothing to compare."""


@dataclass(frozen=True)
class Row:
    """What is measured of a policy."""

    name: str
    """Its name."""
    megabytes: float
    """Of its weights, as files."""
    milliseconds: float
    """Of a decision, median of processor time."""
    agreement: float
    """Share of the tokens that are those of the first policy."""
    actions: float
    """Share of the actions all of whose tokens are."""


def compress(
    weights: Path, folder: Path, name: str, *, keep: float | None, precision: str
) -> tuple[Path, Path]:
    """Write cards of the policy itself and of a compressed copy, and the copy's weights.

    Args:
        weights: File of RT-2 weights.
        folder: Folder of both cards; made if it is missing.
        name: Name of the compressed policy; the original's is `NAME-original`.
        keep: Share of heads and channels that are kept; None for all.
        precision: One of `rtbench.policy.rt2.int8.PRECISIONS`.

    Raises:
        CompressionError: neither is asked for.
        CheckpointError, PruningError: weights or a share that cannot be used.
    """
    if keep is None and precision == FLOAT32:
        raise CompressionError("nothing to compress; give --keep SHARE, --precision int8, or both.")
    model = load(weights)
    smaller = model if keep is None else pruned(model, keep)
    kept = "" if keep is None else f", {keep:.0%} of its heads and channels"
    summary = f"{weights.stem}{kept}, {precision}"
    arguments = {} if precision == FLOAT32 else {"precision": precision}
    original = _publish(folder, CardText(f"{name}-original", weights.stem, {}), model)
    return original, _publish(folder, CardText(name, summary, arguments), smaller)


def _publish(folder: Path, text: CardText, model: Model) -> Path:
    return publish_file(folder, text, lambda path: save(path, model, half=True), model.origin, FACTORY)


def measure(folder: Path, names: Sequence[str], data: Path) -> list[Row]:
    """Let policies decide for the same frames of demonstrations.

    Args:
        folder: Folder of their cards.
        names: Their names; the others are compared with the first.
        data: File of demonstrations with images.

    Raises:
        RtbenchError: a policy or file that cannot be used.
    """
    library, found = Library([folder]), {}
    frames = list(_frames(data))
    if not frames:
        raise CompressionError(f"{data}: no demonstration.")
    for name in names:
        card = resolve(name, library)
        policy = build(card)
        tokens, seconds = [], []
        for seed, (instruction, image) in enumerate(frames):
            seen = Observation(
                dict.fromkeys(policy.needs.cameras, image), instruction, np.zeros(15, np.float32), 0
            )
            policy.reset(0, instruction, seed)
            began = time.process_time()
            tokens.append(policy.act([seen], [0])[0])
            seconds.append(time.process_time() - began)
        size = 0.0 if card.weights is None else Path(card.weights).stat().st_size / 1e6
        found[name] = (np.stack(tokens), 1000 * median(seconds), size)
    return _rows(found)


def _rows(found: Mapping[str, tuple[NDArray[Any], float, float]]) -> list[Row]:
    first = next(iter(found.values()))[0]
    return [
        Row(name, size, milliseconds, float((tokens == first).mean()), float((tokens == first).all(1).mean()))
        for name, (tokens, milliseconds, size) in found.items()
    ]


def _frames(data: Path) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    with Demonstrations(data, trusted=False) as file:
        file.check_images(consecutive=False)
        for number in range(len(file)):
            demo = file.demo(number)
            for step in np.linspace(0, len(demo) - 1, min(FRAMES, len(demo))).astype(int):
                yield demo.episode.instruction, demo.pixels[step]

"""All demonstrations of a training, as pixels and labels ready to be batched.

Pixels stay uint8: in memory if they fit, otherwise in a file that is mapped into it. Demonstrations for
validation are chosen by their episodes' keys, so that more data moves none of them into training.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import torch
from accelerate import PartialState
from numpy.typing import NDArray
from torch import Tensor

from rtbench.core.episode import Episode
from rtbench.core.errors import RtbenchError
from rtbench.data.demonstration import OWN_LOOK, Demonstrations, Header, check_alike
from rtbench.data.keypoints import GRIP, POINTS, hand_pose
from rtbench.data.naming import Naming
from rtbench.train.frame_labels import FrameLabels, LabelStore, store
from rtbench.train.window_sampler import Windows

if TYPE_CHECKING:
    from rtbench.train.image_token_targets import ImageTokenTargets

_NO_POINTS = np.full((1, POINTS, 2), np.nan, np.float32)
_NO_GRIPS = np.full((1, GRIP), np.nan, np.float32)
MEMORY = 0.6
"""Share of the free memory that pixels may take; above it they are mapped from a file."""


class DatasetError(RtbenchError):
    """Data that cannot be trained on."""


@dataclass(frozen=True)
class Batch:
    """B windows of T frames."""

    images: Tensor
    """uint8[B, T, h, w, 3]."""
    labels: Tensor
    """int64[B, T, 11]."""
    points: Tensor
    """float32[B, T, 4, 2]: see `Demonstration.points`; NaN where there is none."""
    hand: Tensor
    """float32[B, T, 13]: see `hand_pose`; NaN for numbers that do not exist."""
    valid: Tensor
    """bool[B, T]: False for frames that only fill up a window longer than its demonstration."""
    texts: NDArray[np.int64]
    """int64[B]: numbers of the instructions."""
    seen: FrameLabels | None = None
    """Names and places of what is seen in the frames; None where no data has any."""
    targets: Tensor | None = None
    """float32[B, T, tokens, features]: image tokens to learn, NaN where there are none; None without them."""

    def to(self, device: torch.device) -> Batch:
        """The same with labels on a device; images are left where they are."""
        parts = {
            name: getattr(self, name).to(device, non_blocking=True)
            for name in ("labels", "points", "hand", "valid")
        }
        targets = None if self.targets is None else self.targets.to(device, non_blocking=True)
        return replace(self, seen=self.seen and self.seen.to(device), targets=targets, **parts)


@dataclass(frozen=True)
class Dataset:
    """Demonstrations one after the other; N frames of n demonstrations."""

    episodes: tuple[Episode, ...]
    """Episode of each demonstration."""
    policies: tuple[str, ...]
    """Name of the policy that acted in each."""
    lengths: NDArray[np.int64]
    """int64[n]: frames of each."""
    frames: Tensor
    """uint8[N, h, w, 3]."""
    labels: Tensor
    """uint8[N, 11], in token order."""
    points: Tensor
    """float32[N, 4, 2]; NaN where there is none."""
    hand: Tensor
    """float32[N, 13]: see `hand_pose`; NaN for numbers that do not exist."""
    convention: str
    """Action convention of the labels."""
    seen: LabelStore | None = None
    """Names and places of what is seen in the frames; None where no data has any."""
    looks: tuple[str, ...] = ()
    """Look of each demonstration; '' or `OWN_LOOK`: the scene's own."""
    targets: ImageTokenTargets | None = None
    """Image tokens to learn; None without an image-token loss."""
    skipped: tuple[str, ...] = ()
    """Reasons for which files were left out."""

    @property
    def redrawn(self) -> int:
        """Demonstrations that are drawn under random looks."""
        return sum(not is_own(look) for look in self.looks)

    @property
    def instructions(self) -> tuple[str, ...]:
        """All instructions, each once."""
        return tuple(dict.fromkeys(episode.instruction for episode in self.episodes))

    @property
    def fingerprint(self) -> str:
        """16 hex digits: hash of all episodes and labels."""
        total = hashlib.sha256(" ".join(episode.key for episode in self.episodes).encode())
        total.update(self.labels.cpu().numpy().tobytes())
        return total.hexdigest()[:16]

    @property
    def first(self) -> NDArray[np.int64]:
        """int64[n]: number of the first frame of each demonstration."""
        found: NDArray[np.int64] = np.cumsum(self.lengths) - self.lengths
        return found

    def skills(self) -> NDArray[np.int64]:
        """int64[n]: a number for the skill of each demonstration."""
        _, numbers = np.unique([episode.skill for episode in self.episodes], return_inverse=True)
        return numbers.astype(np.int64)

    def validation(self, fraction: float) -> NDArray[np.bool_]:
        """bool[n]: which demonstrations are for validation; at least one of two or more, or none for 0.

        All demonstrations of an episode go together.
        """
        # A key is a hash, whose digits are as good as random.
        place = np.array([int(episode.key, 16) / 16**16 for episode in self.episodes])
        chosen = place < fraction
        if fraction > 0 and not chosen.any():
            chosen = place == place.min()
        return chosen & ~chosen.all()

    def to(self, device: torch.device) -> Dataset:
        """The same with pixels and labels on a device."""
        parts = {name: getattr(self, name).to(device) for name in ("frames", "labels", "points", "hand")}
        return replace(self, **parts)


def is_own(look: str) -> bool:
    """Whether a demonstration of that look shows the scene as it is."""
    return look in {"", OWN_LOOK}


class Sampler:
    """Makes batches of a dataset."""

    def __init__(self, data: Dataset, length: int) -> None:
        """For windows of `length` frames."""
        self._data, self._length = data, length
        self._first = data.first
        number = {text: k for k, text in enumerate(data.instructions)}
        self._texts = np.array([number[episode.instruction] for episode in data.episodes])

    def texts(self, windows: Windows) -> NDArray[np.int64]:
        """Numbers int64[B] of the instructions of windows."""
        found: NDArray[np.int64] = self._texts[windows[:, 0]]
        return found

    def batch(self, windows: Windows) -> Batch:
        """The frames of windows; those beyond a demonstration's end repeat its last."""
        demos, starts = windows.T
        steps = starts[:, None] + np.arange(self._length)
        last = self._data.lengths[demos][:, None] - 1
        device = self._data.frames.device
        frames, valid = self._first[demos][:, None] + np.minimum(steps, last), steps <= last
        index = torch.from_numpy(frames).to(device)
        shape = (*index.shape, *self._data.frames.shape[1:])
        return Batch(
            images=self._data.frames.index_select(0, index.flatten()).view(shape),
            labels=self._data.labels[index].long(),
            points=self._data.points[index],
            hand=self._data.hand[index],
            valid=torch.from_numpy(valid).to(device),
            texts=self.texts(windows),
            seen=None if (seen := self._data.seen) is None else seen.of(frames, valid),
            targets=None if (targets := self._data.targets) is None else targets.of(frames),
        )


def load(
    paths: Sequence[Path], spill: Path, *, skip: bool = False, sharers: int = 1, window: int = 1
) -> Dataset:
    """Read files of demonstrations.

    Args:
        paths: Files that `rtbench demos` wrote; one that is given twice counts once.
        spill: Folder for a file of pixels that do not fit into memory. The file ends with the process.
        skip: Leave out files that cannot be used, instead of refusing.
        sharers: Processes of one launcher that load the same data; they share the file of pixels.
        window: Consecutive frames that the network sees.

    Raises:
        DatasetError: a file that is damaged (says where), has no images, has single frames where a network
            sees several, or is of another action convention or image size than the first; or no demonstration
            in all of them.
    """
    skipped: list[str] = []

    @contextmanager
    def tolerant() -> Iterator[None]:
        try:
            yield
        except RtbenchError as error:
            if not skip:
                raise DatasetError(f"{error} Or leave such files out with --skip-bad.") from None
            skipped.append(str(error))

    unique = list(dict.fromkeys(path.resolve() for path in paths))
    found: list[tuple[Path, Header]] = []
    count = 0
    for path in unique:
        with tolerant(), Demonstrations(path, trusted=False) as file:
            check_alike(path, file.header, found[0][1] if found else file.header)
            file.check_images(consecutive=window > 1)
            found.append((path, file.header))
            count += file.frames
    if not count:
        raise DatasetError(_nothing(unique, skipped))
    header = found[0][1]
    with room((count, *header.size, 3), spill, sharers) as frames:
        store = _Store(frames)
        for path, _ in found:
            with tolerant():
                store.read(path)
    if store.is_empty:
        raise DatasetError(_nothing(unique, skipped))
    return store.dataset(header.convention, tuple(skipped))


class _Store:
    """Fills the pixels demonstration by demonstration."""

    def __init__(self, frames: NDArray[np.uint8]) -> None:
        self._frames = frames
        self._filled = 0
        self._episodes: list[Episode] = []
        self._policies: list[str] = []
        self._labels: list[NDArray[np.uint8]] = []
        self._points: list[NDArray[np.float32]] = []
        self._hand: list[NDArray[np.float32]] = []
        self._seen: list[Naming] = []
        self._looks: list[str] = []

    @property
    def is_empty(self) -> bool:
        return not self._filled

    def read(self, path: Path) -> None:
        """Add all demonstrations of a file, or, on an error, none."""
        episodes, policies, labels, points, hand = [], [], [], [], []
        seen, looks = [], []
        position = self._filled
        with Demonstrations(path) as file:
            for number in range(len(file)):
                demo = file.demo(number)
                self._frames[position : position + len(demo)] = demo.pixels
                position += len(demo)
                episodes.append(demo.episode)
                policies.append(demo.policy)
                labels.append(demo.labels)
                grips = _NO_GRIPS.repeat(len(demo), 0) if demo.grips is None else demo.grips
                hand.append(hand_pose(demo.proprio, grips))
                points.append(_NO_POINTS.repeat(len(demo), 0) if demo.points is None else demo.points)
                seen.append(demo.naming or Naming.none(len(demo)))
                looks.append(demo.look)
        self._filled = position
        self._episodes += episodes
        self._policies += policies
        self._labels += labels
        self._points += points
        self._hand += hand
        self._seen += seen
        self._looks += looks

    def dataset(self, convention: str, skipped: tuple[str, ...]) -> Dataset:
        return Dataset(
            episodes=tuple(self._episodes),
            policies=tuple(self._policies),
            lengths=np.array([len(part) for part in self._labels], dtype=np.int64),
            frames=torch.from_numpy(self._frames[: self._filled]),
            labels=torch.from_numpy(np.concatenate(self._labels)),
            points=torch.from_numpy(np.concatenate(self._points)),
            hand=torch.from_numpy(np.concatenate(self._hand)),
            convention=convention,
            seen=store(self._seen),
            looks=tuple(self._looks),
            skipped=skipped,
        )


@contextmanager
def room(shape: tuple[int, ...], spill: Path, sharers: int, *, maps: bool = False) -> Iterator[NDArray[Any]]:
    """Room for an array of that shape, in memory or in a file; a shared one has a name while it is filled.

    Args:
        shape: Its shape.
        spill: Folder for the file.
        sharers: Processes of one launcher. If it is not for maps, each fills all of it alike.
        maps: Whether it is float16, and each process fills a part, so that they must share it; else uint8.
    """
    kind: type[np.generic] = np.float16 if maps else np.uint8
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
    shared = maps and sharers > 1
    if not shared and size * sharers < MEMORY * psutil.virtual_memory().available:
        yield np.empty(shape, kind)
        return
    _sweep(spill)
    # Processes of a launcher have one parent. They fill one file with the same bytes: two copies of 10 GB
    # were too many.
    path = spill / f"frames.{os.getppid() if sharers > 1 else os.getpid()}.{'f16' if maps else 'u8'}"
    try:
        with path.open("ab"):
            os.truncate(path, size)
        mapped = np.memmap(path, kind, "r+", shape=shape)
        if sharers == 1:
            path.unlink()
    except OSError as error:
        raise DatasetError(f"{path}: no room for {size / 1e9:.1f} GB: {error.strerror}.") from None
    try:
        yield np.asarray(mapped)
    finally:
        # Without a name it lasts as long as the mapping: a killed process leaves no gigabytes behind.
        path.unlink(missing_ok=True)


@contextmanager
def shared_room(shape: tuple[int, ...], spill: Path) -> Iterator[tuple[NDArray[Any], PartialState]]:
    """Room for a float16 array that the processes of a launcher fill together, and these processes.

    When it ends, all of them have filled their part, and the file's name is free for the next one.
    """
    team = PartialState(cpu=not torch.accelerator.is_available())
    with room(shape, spill, team.num_processes, maps=True) as array:
        team.wait_for_everyone()
        yield array, team
        team.wait_for_everyone()
    team.wait_for_everyone()


def _sweep(spill: Path) -> None:
    """Remove files whose process was killed while several filled them."""
    for path in (*spill.glob("frames.*.u8"), *spill.glob("frames.*.f16")):
        process = path.name.split(".")[1]
        if not (process.isdecimal() and psutil.pid_exists(int(process))):
            path.unlink(missing_ok=True)


def _nothing(paths: Sequence[Path], skipped: Sequence[str]) -> str:
    names = ", ".join(path.name for path in paths)
    why = f" Left out: {' '.join(skipped)}" if skipped else " Record some with `rtbench demos`."
    return f"no demonstration in {names or 'no file'}.{why}"

"""Batches of robot and vision-language samples, mixed at a set share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtbench.core.seeding import generator
from rtbench.data.naming import Name, Naming
from rtbench.data.plan_text import plan_places, plan_text
from rtbench.data.vision_language import VisionLanguage
from rtbench.train.augment import Augmentation, Draw, draw
from rtbench.train.dataset import Dataset
from rtbench.train.frame_labels import FrameLabels, LabelStore, store
from rtbench.train.token_sequences import Said, Speaker

COMMAND = "command"
"""Kind of the pairs whose answer is a plan, as robot samples have it."""
_UNCHANGED = Augmentation((0, 0), 0, 0, 0)
States = Callable[[Sequence[str]], list[NDArray[np.float32]]]
"""Token states float32[n, D] of each of some texts, n at least 1."""
Vectors = Callable[[Sequence[str]], NDArray[np.float32]]
"""Vectors float32[n, D] of n texts."""


@dataclass(frozen=True)
class Mixture:
    """Shares of a batch, and what its robot samples are to say."""

    robot_share: float = 0.5
    """Share of the robot samples: half for RT-2-PaLI-X, 0.66 for RT-2-PaLM-E (Zitkovich et al. 2023); 1 for
    a robot-only training, 0 for one on vision-language data alone."""
    questions: int = 4
    """Pairs of a picture in a batch at most; the picture is looked at once for all."""
    without_plan: float = 0.25
    """Share of the robot samples that act by their instruction, so that `plan=off` can be played."""
    actions: bool = True
    """Whether robot samples have actions beside their plans."""
    words: bool = True
    """Whether anything is said. Without, a batch is of pictures alone, one a sample, for naming things."""


@dataclass(frozen=True)
class Samples:
    """A batch: pictures, and samples that are each about one of them or about none."""

    images: Tensor
    """uint8[I, h, w, 3]."""
    drawn: Draw
    """How the pictures are to be changed."""
    pictures: Tensor
    """int64[B]: picture of each sample; -1 for text alone."""
    states: Tensor
    """float32[B, T, D]: token states of the instructions and questions."""
    stated: Tensor
    """bool[B, T]: False where one is shorter."""
    said: tuple[Said, ...]
    """What each is to say."""
    kinds: tuple[str, ...]
    """What each asks for: a pair's kind; '' for robot samples."""
    labels: NDArray[np.int64]
    """int64[R, 11]: tokens of the first R samples, which are the robot's."""
    plans: NDArray[np.float32]
    """float32[R, text]: vectors of the robot samples' plans in words; of the instruction where one acts
    without a plan. Without actions R is 0."""
    told: NDArray[np.float32]
    """float32[R, 2, 2]: the places of these plans in their demonstration's first frame, NaN for none."""
    seen: FrameLabels | None = None
    """Names and places of what is seen in the pictures, before they are changed."""

    def acting(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """`plans` and `told` on a device, as `Network.act` takes them."""
        return torch.from_numpy(self.plans).to(device), torch.from_numpy(self.told).to(device)


class Mixer:
    """Draws batches from both kinds of data."""

    def __init__(
        self,
        robot: Dataset | None,
        other: VisionLanguage | None,
        *,
        speaker: Speaker,
        states: States,
        vectors: Vectors,
        names: LabelStore | None = None,
    ) -> None:
        """Of demonstrations and vision-language data, of which one may be missing.

        Args:
            robot: Demonstrations.
            other: Vision-language data, with pictures of the same size.
            speaker: Makes what is to be said.
            states: Encodes texts.
            vectors: Encodes plans in words for RT-1.
            names: Labels of what is seen in the frames of `robot`, then in the pictures of `other`.
        """
        self._robot, self._other = robot, other
        self._speaker, self._states, self._names = speaker, states, names
        self._vectors = vectors
        if robot is not None:
            self._first = robot.first
            self._plans = [plan_text(episode) for episode in robot.episodes]
            self._places = plan_places(robot.points.numpy())
            self._first_places = self._places[self._first]
        self._frames = 0 if robot is None else len(robot.frames)
        self._groups = [] if other is None else _groups(other)
        self._alone = 0 if other is None else int((other.pictures < 0).sum())
        self.held_back = np.zeros(0, np.int64)
        """Numbers of the pairs that are for validation only."""

    def hold_back(self, share: float) -> None:
        """Keep a share of the pictures and of the texts, with all of their pairs, for validation only."""
        random = generator("vision-language validation")
        held = random.random(len(self._groups)) < share
        if held.all():
            return
        kept = [group for group, out in zip(self._groups, held, strict=True) if not out]
        gone = [group for group, out in zip(self._groups, held, strict=True) if out]
        self._alone -= int(held[: self._alone].sum())
        self._groups, self.held_back = kept, np.sort(np.concatenate(gone)) if gone else self.held_back

    def batch(
        self,
        windows: NDArray[np.int64],
        count: int,
        mixture: Mixture,
        augmentation: Augmentation,
        random: np.random.Generator,
    ) -> Samples:
        """A batch for training.

        Args:
            windows: int64[R, 2]: demonstration and frame of each robot sample.
            count: Vision-language samples.
            mixture: What is drawn how often.
            augmentation: Random changes of the pictures.
            random: Draws everything.
        """
        pairs = self._pairs(count, mixture, random)
        return self._samples(windows, pairs, mixture, augmentation, random)

    def of(self, windows: NDArray[np.int64], pairs: Sequence[int], mixture: Mixture) -> Samples:
        """Samples of these frames and pairs, with unchanged pictures."""
        return self._samples(windows, list(pairs), mixture, _UNCHANGED, generator("mixture of a validation"))

    def _samples(
        self,
        windows: NDArray[np.int64],
        pairs: list[int],
        mixture: Mixture,
        augmentation: Augmentation,
        random: np.random.Generator,
    ) -> Samples:
        frames = self._first[windows[:, 0]] + windows[:, 1] if len(windows) else np.zeros(0, np.int64)
        shown = np.zeros(0, np.int64) if self._other is None else self._other.pictures[pairs]
        others, where = np.unique(shown, return_inverse=True) if len(pairs) else (np.zeros(0, np.int64), [])
        numbers = np.where(np.asarray(shown) < 0, -1, len(frames) + np.asarray(where) - (others < 0).sum())
        others = others[others >= 0].astype(np.int64)
        images = self._images(frames, others)
        height, width = images.shape[1:3]
        drawn = draw(augmentation, len(images), height, width, random)
        chosen = []
        if mixture.words:
            for k, (demo, frame) in enumerate(zip(windows[:, 0].tolist(), frames.tolist(), strict=True)):
                places = _shifted(self._places[frame], drawn, k, images)
                chosen.append(self._robot_sample(demo, places, mixture, random))
        robot = [sample for sample, _, _ in chosen]
        asked = (
            []
            if not mixture.words
            else [
                self._asked(pair, number, drawn, images) for pair, number in zip(pairs, numbers, strict=True)
            ]
        )
        states, stated = _padded([text for text, _, _ in [*robot, *asked]], self._states)
        acting = mixture.actions and mixture.words and len(windows)
        plans, told = np.zeros((0, 1), np.float32), np.zeros((0, 2, 2), np.float32)
        if acting:
            plans = self._vectors([plan for _, plan, _ in chosen])
            told = np.stack([places for _, _, places in chosen])
        labels = np.zeros((0, 11), np.int64)
        if self._robot is not None:
            labels = self._robot.labels[torch.from_numpy(frames)].numpy().astype(np.int64)
        every = np.concatenate([frames, self._frames + others])
        return Samples(
            images=images,
            drawn=drawn,
            pictures=torch.from_numpy(np.concatenate([np.arange(len(frames)), numbers]).astype(np.int64)),
            states=states,
            stated=stated,
            said=tuple(said for _, said, _ in [*robot, *asked]),
            kinds=tuple(kind for _, _, kind in [*robot, *asked]),
            labels=labels,
            plans=plans,
            told=told,
            seen=None
            if self._names is None or not len(every)
            else self._names.of(every, np.ones(len(every), np.bool_)),
        )

    def _pairs(self, count: int, mixture: Mixture, random: np.random.Generator) -> list[int]:
        """Numbers of `count` pairs, several of one picture; without words, one of each picture."""
        groups = self._groups if mixture.words else self._groups[self._alone :]
        questions = mixture.questions if mixture.words else 1
        found: list[int] = []
        while groups and len(found) < count:
            group = groups[int(random.integers(len(groups)))]
            most = min(questions, count - len(found), len(group))
            found += random.permutation(group)[:most].tolist()
        return found

    def _images(self, frames: NDArray[np.int64], others: NDArray[np.int64]) -> Tensor:
        parts = []
        if self._robot is not None and len(frames):
            parts.append(self._robot.frames[torch.from_numpy(frames)])
        if self._other is not None and len(others):
            parts.append(torch.from_numpy(self._other.images[others]))
        if parts:
            return torch.cat(parts)
        shape = self._robot.frames.shape[1:] if self._robot is not None else (0, 0, 3)
        return torch.zeros((0, *shape), dtype=torch.uint8)

    def _robot_sample(
        self,
        demo: int,
        places: NDArray[np.float32],
        mixture: Mixture,
        random: np.random.Generator,
    ) -> tuple[tuple[str, Said, str], str, NDArray[np.float32]]:
        """Instruction, suffix and kind; and the words and places by which RT-1 acts."""
        if self._robot is None:
            raise ValueError("no demonstrations")
        text, plan = self._robot.episodes[demo].instruction, self._plans[demo]
        bare = random.random() < mixture.without_plan
        said = (text, self._speaker.plan(plan, places), "")
        if bare and mixture.actions:
            return said, text, np.full((2, 2), np.nan, np.float32)
        return said, plan, self._first_places[demo]

    def _asked(self, number: int, picture: int, drawn: Draw, images: Tensor) -> tuple[str, Said, str]:
        if self._other is None:
            raise ValueError("no vision-language data")
        pair = self._other.pairs[number]
        places = np.array([(place.x, place.y) for place in pair.places], np.float32).reshape(-1, 2)
        if picture >= 0:
            places = _shifted(places, drawn, int(picture), images)
        if pair.kind == COMMAND and pair.answer and len(places):
            both = places[[0, min(1, len(places) - 1)]]
            return pair.question, self._speaker.plan(pair.answer, both), pair.kind
        return pair.question, self._speaker.answer(pair.answer, places), pair.kind


def names_of(
    robot: Dataset | None, other: VisionLanguage | None, known: Sequence[Name] = ()
) -> LabelStore | None:
    """Labels of what is seen in all frames and pictures, in this order; None where nothing is named.

    Names that are known already have the first numbers.
    """
    parts = [replace(Naming.none(0), vocabulary=tuple(known))]
    if robot is not None:
        parts.append(Naming.none(len(robot.frames)) if robot.seen is None else robot.seen.naming())
    if other is not None:
        parts.append(other.naming)
    return store(parts)


def _groups(other: VisionLanguage) -> list[NDArray[np.int64]]:
    """Numbers of the pairs of each picture; each pair of text alone is a group of its own."""
    order = np.argsort(other.pictures, kind="stable")
    pictures = other.pictures[order]
    alone = [np.array([number]) for number in order[pictures < 0]]
    cuts = np.flatnonzero(np.diff(pictures[pictures >= 0])) + 1
    shown = np.split(order[pictures >= 0], cuts) if (pictures >= 0).any() else []
    return [*alone, *shown]


def _shifted(places: NDArray[np.float32], drawn: Draw, number: int, images: Tensor) -> NDArray[np.float32]:
    """Places float32[n, 2] after the shift of a picture; NaN for those that are outside then."""
    height, width = images.shape[1:3]
    moved = places + drawn.offsets[number, ::-1] / (width, height)
    inside = ((moved >= 0) & (moved <= 1)).all(-1, keepdims=True)
    found: NDArray[np.float32] = np.where(inside, moved, np.nan).astype(np.float32)
    return found


def _padded(texts: Sequence[str], states: States) -> tuple[Tensor, Tensor]:
    """Token states float32[B, T, D] of texts, and which of them are there, bool[B, T]."""
    empty, *found = states(["", *texts])
    length = max([1, *(len(one) for one in found)])
    filled = torch.zeros(len(texts), length, empty.shape[1])
    there = torch.zeros(len(texts), length, dtype=torch.bool)
    for row, one in enumerate(found):
        filled[row, : len(one)] = torch.from_numpy(np.ascontiguousarray(one))
        there[row, : len(one)] = True
    return filled, there


def stream(seed: int, *names: int) -> np.random.Generator:
    """What draws a batch, by step and process."""
    return generator("co-fine-tuning", seed, *names)

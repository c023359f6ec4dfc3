"""A policy that has learnt the oracle's episodes by heart: it does what was right in the frame that it sees.

It reads images, heeds the instruction, and predicts chunks, in no time and without training. Of what it has
never seen it makes nonsense, the same each time, as a network does. Many ways to break it are planted below.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

import numpy as np

from rtbench.core.action import GRIPPER, MODE, Mode
from rtbench.policy.base import Needs
from rtbench.policy.continuous.mapping import preset
from rtbench.policy.continuous.policy import MappedPolicy

CHUNK = 4


def thumbnail(image):
    return image[8::16, 8::16].tobytes()


class FrameMemory:
    """float[slots, CHUNK, 11] in the order of the action's dimensions."""

    needs = Needs(cameras=("head",))
    see = staticmethod(lambda image: image)
    change: Callable = staticmethod(lambda numbers: numbers)
    first = 0
    """Action of the chunk that is given first: 1 is off by one."""

    def __init__(self, situations):
        self._known, self._chunks, self._told = {}, [], {}
        for situation in situations:
            right = situation.right
            for step, seen in enumerate(situation.observations):
                frame = thumbnail(seen.images["head"])
                self._known[situation.episode.instruction, frame] = len(self._chunks)
                self._known.setdefault(("", frame), len(self._chunks))
                rows = [right[min(step + k, len(right) - 1)] for k in range(CHUNK + 2)]
                self._chunks.append(np.array(rows))

    def reset(self, slot, instruction, seed):
        self._told[slot] = instruction

    def predict(self, observations: Sequence, slots):
        found = [self._one(seen, slot) for seen, slot in zip(observations, slots, strict=True)]
        return self.change(np.array(found)[:, self.first : self.first + CHUNK].copy())

    def _one(self, seen, slot):
        told, frame = self._told[slot], thumbnail(self.see(seen.images["head"]))
        nonsense = zlib.crc32(frame + told.encode()) % len(self._chunks)
        return self._chunks[self._known.get((told, frame), nonsense)]


def clean(situations, **changes) -> MappedPolicy:
    return of(FrameMemory(situations), **changes)


def of(policy, execute=3, **changes) -> MappedPolicy:
    mapping = preset("rt1-11d")
    chunk = mapping.chunk.model_copy(update={"execute": execute})
    return MappedPolicy(policy, mapping.model_copy(update={"chunk": chunk, **changes}))


def changed(situations, change) -> MappedPolicy:
    """With other numbers."""
    policy = FrameMemory(situations)
    policy.change = change
    return of(policy)


def scaled(factors):
    """Multiplies dimensions by factors."""

    def change(numbers):
        for dimension, factor in factors.items():
            numbers[..., dimension] *= factor
        return numbers

    return change


def permuted(order):
    """order[k] is the dimension that stands at k."""

    def change(numbers):
        return numbers[..., [order.get(k, k) for k in range(11)]]

    return change


def with_modes(swap):
    def change(numbers):
        numbers[..., MODE] = np.array(swap)[numbers[..., MODE].astype(int)]
        return numbers

    return change


def seeing(situations, see) -> MappedPolicy:
    """With other images."""
    policy = FrameMemory(situations)
    policy.see = lambda image: np.ascontiguousarray(see(image))
    return of(policy)


class KeepsChunks(MappedPolicy):
    """Forgets nothing at reset but the instruction."""

    def reset(self, slot, instruction, seed):
        if slot in self._slots:
            self.policy.reset(slot, instruction, seed)
        else:
            super().reset(slot, instruction, seed)


def keeping(situations) -> MappedPolicy:
    policy = FrameMemory(situations)
    return KeepsChunks(policy, of(policy).mapping)


class Unseeded(FrameMemory):
    """Draws from a generator of its own, whatever the seed."""

    def __init__(self, situations):
        super().__init__(situations)
        self._random = np.random.default_rng(0)

    def predict(self, observations, slots):
        found = super().predict(observations, slots)
        found[..., :3] += self._random.normal(scale=0.005, size=found[..., :3].shape)
        return found


class MixesBatches(FrameMemory):
    """Gives the rows of a batch in reverse."""

    def predict(self, observations, slots):
        return super().predict(observations, slots)[::-1]


class StuckInSlot(FrameMemory):
    """Goes on with the first instruction of each slot."""

    def reset(self, slot, instruction, seed):
        self._told.setdefault(slot, instruction)


class Deaf(FrameMemory):
    """Heeds no instruction."""

    def reset(self, slot, instruction, seed):
        self._told[slot] = ""


class Terminates(FrameMemory):
    def predict(self, observations, slots):
        found = super().predict(observations, slots)
        found[..., MODE] = Mode.TERMINATE
        return found


FAULTS = {
    "x flipped": (lambda s: changed(s, scaled({0: -1})), "+x", "sign of x is flipped"),
    "y flipped": (lambda s: changed(s, scaled({1: -1})), "+y", "sign of y is flipped"),
    "z flipped": (lambda s: changed(s, scaled({2: -1})), "+z", "sign of z is flipped"),
    "yaw flipped": (lambda s: changed(s, scaled({5: -1})), "+yaw", "sign of yaw is flipped"),
    "x and y exchanged": (lambda s: changed(s, permuted({0: 1, 1: 0})), "+x", "its y goes where x should"),
    "y and z exchanged": (lambda s: changed(s, permuted({1: 2, 2: 1})), "+z", "its y goes where z should"),
    "roll, pitch and yaw turned round": (
        lambda s: changed(s, permuted({3: 5, 5: 3})), "+yaw", "its roll goes where yaw should",
    ),
    "gripper inverted": (lambda s: changed(s, scaled({GRIPPER: -1})), "close and open", "inverted"),
    "base backward": (lambda s: changed(s, scaled({7: -1})), "base forward", "sign of base_x is flipped"),
    "base turns right": (lambda s: changed(s, scaled({9: -1})), "base turns left", "base_yaw is flipped"),
    "centimetres": (lambda s: changed(s, scaled({0: 100, 1: 100, 2: 100})), "unit of position", "too large"),
    "decimetres": (lambda s: changed(s, scaled({0: 0.1, 1: 0.1, 2: 0.1})), "unit of position", "too small"),
    "degrees": (lambda s: changed(s, scaled({3: 57.3, 4: 57.3, 5: 57.3})), "unit of rotation", "too large"),
    "modes of rt1": (lambda s: changed(s, with_modes((1, 2, 0))), "mode", "exchanged"),
    "terminates": (lambda s: of(Terminates(s)), "mode", "terminates in"),
    "BGR": (lambda s: seeing(s, lambda image: image[..., ::-1]), "image", "BGR"),
    "upside down": (lambda s: seeing(s, lambda image: image[::-1]), "image", "is upside down:"),
    "rotated": (lambda s: seeing(s, lambda image: image[::-1, ::-1]), "image", "180 degrees"),
    "mirrored": (lambda s: seeing(s, lambda image: image[:, ::-1]), "image", "is mirrored"),
    "keeps its chunk": (keeping, "reset", "reset does not"),
    "no seed": (lambda s: of(Unseeded(s)), "same seed", "does not come from the seed"),
    "mixes batches": (lambda s: of(MixesBatches(s)), "batch equals", "mixed up"),
    "stuck instruction": (lambda s: of(StuckInSlot(s)), "language", "stuck"),
    "deaf": (lambda s: of(Deaf(s)), "language", "changes nothing"),
}  # fmt: skip
"""By name: makes the policy, the probe that must find it, and words of what it must say."""


def off_by_one(situations) -> MappedPolicy:
    """Drops the first action of each chunk."""
    policy = FrameMemory(situations)
    policy.first = 1
    return of(policy)


FAULTS["chunk off by one"] = (off_by_one, "timing", "1 step too early")

"""Policies for tests of the evaluator. Words in the instruction make them misbehave in that episode."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import numpy as np

from rtbench.core.action import MODE, RTBENCH, Mode, idle
from rtbench.core.seeding import generator
from rtbench.core.stated_plan import Place, StatedPlan
from rtbench.policy.base import Needs

MARK = 0.5
HERE = str(Path(__file__).resolve())


def action(x: float = 0.0, mode: Mode = Mode.ARM) -> np.ndarray:
    vector = idle()
    vector[0], vector[MODE] = x, mode
    return RTBENCH.encode(vector)


class StrangeError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class Unreadable:
    """As a tensor that requires a gradient."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


class Pusher:
    """Pushes with seeded noise until the cart is beyond the mark, then terminates; keeps a history."""

    needs = Needs()
    fingerprint = "pusher"

    def __init__(self, hang_s: float = 5.0) -> None:
        self.hang_s = hang_s
        self.rngs, self.texts, self.history = {}, {}, {}

    def reset(self, slot, instruction, seed):
        if "unresettable" in instruction:
            raise KeyError("no such skill")
        self.rngs[slot], self.texts[slot] = generator("pusher", seed), instruction
        self.history[slot] = []

    def act(self, observations, slots):
        rows = [self.one(o, slot) for o, slot in zip(observations, slots, strict=True)]
        texts = [self.texts[slot] for slot in slots]
        if any("unreadable" in text for text in texts):
            return Unreadable()
        if any("short" in text for text in texts):
            return np.array(rows)[1:]
        return np.array(rows)

    def one(self, observation, slot):
        text, history = self.texts[slot], self.history[slot]
        # A policy that was fed an observation twice, or another episode's, would show here.
        assert len(history) == observation.step, f"slot {slot}: {len(history)} != {observation.step}"
        history.append(observation.proprio[0])
        if observation.step == 3:
            if "raise" in text:
                raise ValueError("no weights for this")
            if "strange" in text:
                raise StrangeError
            if "surrogate" in text:
                raise ValueError("no file \udcff")
            if "long" in text:
                raise ValueError("x" * 30_000_000)
            if "hang" in text:
                time.sleep(self.hang_s)
        if observation.proprio[0] > MARK:
            return action(mode=Mode.TERMINATE)
        row = action(0.04 + self.rngs[slot].uniform(0, 0.03)).astype(float)
        if observation.step == 3 and "nan" in text:
            row[4] = np.nan
        return row


class Watcher(Pusher):
    """Wants images."""

    needs = Needs(cameras=("head",))


class Planner(Pusher):
    """States a new plan in every other step."""

    def stated_plan(self, slot):
        step = (len(self.history[slot]) - 1) // 2 * 2
        return StatedPlan(step, "push the cart", (Place(0.5, 0.5),))


class Seer(Pusher):
    """Privileged: reads the cart's place from the environment."""

    needs = Needs(privileged=True)

    def attach(self, slot, env):
        self.env = env

    def one(self, observation, slot):
        assert self.env.x == np.float64(self.env.x)
        return super().one(observation, slot)


class Tardy(Pusher):
    """Takes its time, so that questions gather; notes the size of each batch."""

    def __init__(self):
        super().__init__()
        self.batches = []
        self.resets = Counter()

    def reset(self, slot, instruction, seed):
        self.resets[seed] += 1
        super().reset(slot, instruction, seed)

    def act(self, observations, slots):
        time.sleep(0.02)
        self.batches.append(len(slots))
        return super().act(observations, slots)


class NoAct:
    needs = Needs()

    def reset(self, slot, instruction, seed):
        pass

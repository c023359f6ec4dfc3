"""What tests of demonstrations share: made-up ones, and a toy environment with an oracle beside it."""

from __future__ import annotations

import time
from dataclasses import fields
from pathlib import Path

import numpy as np

from rtbench.core.action import MODE, RTBENCH, Mode, convention, idle
from rtbench.core.episode import Episode, Observation
from rtbench.data.demonstration import HASH_TYPE, Demonstration
from rtbench.data.keypoints import GRIP, POINTS
from rtbench.data.recorder import Labelled
from rtbench.policy.base import Needs
from tests.helpers import fake_env

HERE = str(Path(__file__).resolve())
FACTORY, SLOW_FACTORY, STUCK_FACTORY = f"{HERE}:make", f"{HERE}:make_slow", f"{HERE}:make_stuck"
SIZE = (8, 10)


def made_up(seed=0, steps=5, *, size=SIZE, success=True, spec="rtbench", **changes) -> Demonstration:
    """A demonstration of random numbers in the true form."""
    random = np.random.default_rng(seed)
    limit = convention(spec).tokens_per_dimension
    return Demonstration(
        episode=fake_env.episode(seed, **changes),
        policy="oracle",
        success=success,
        fingerprint=f"{seed:016x}",
        tokens=random.integers(0, limit, (steps, 11)).astype(np.uint8),
        labels=random.integers(0, limit, (steps, 11)).astype(np.uint8),
        images=random.integers(0, 256, (steps, *size, 3)).astype(np.uint8),
        proprio=random.normal(size=(steps, 15)).astype(np.float32),
        hashes=np.array([f"{k:08x}" for k in random.integers(0, 2**32, steps)], dtype=HASH_TYPE),
    )


def same(one: Demonstration, other: Demonstration) -> bool:
    return all(np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))


class LabellingCart(fake_env.FakeEnv):
    """The cart, with an oracle that pushes it beyond the mark and terminates."""

    pause_s = 0.0
    speed_m = 0.05

    def _observe(self) -> Labelled:
        time.sleep(self.pause_s)
        seen = super()._observe()
        action = idle()
        over = self.x > fake_env.MARK
        action[0], action[MODE] = (0.0, Mode.TERMINATE) if over else (self.speed_m, Mode.ARM)
        label = self.convention.encode(action)
        values = {f.name: getattr(seen, f.name) for f in fields(Observation)}
        points = np.full((POINTS, 2), np.nan, np.float32)
        points[0] = seen.step / 100
        grip, state = np.full(GRIP, seen.step, np.float32), np.array([self.x])
        return Labelled(**values, label=label, points=points, grip=grip, state=state)


def make(settings) -> LabellingCart:
    return LabellingCart(settings)


def make_slow(settings) -> LabellingCart:
    env = LabellingCart(settings)
    env.pause_s = 0.02
    return env


def make_stuck(settings) -> LabellingCart:
    """Every third episode cannot be done."""
    env = LabellingCart(settings)
    begin = env.begin

    def stuck(episode: Episode) -> Observation:
        env.speed_m = 0.05 if int(episode.key, 16) % 3 else 0.0
        return begin(episode)

    env.begin = stuck
    return env


class Still:
    """Never does anything."""

    needs = Needs()

    def reset(self, slot, instruction, seed):
        pass

    def act(self, observations, slots):
        return np.tile(RTBENCH.encode(idle()), (len(slots), 1))


class Pusher(Still):
    """Pushes by a token that is given."""

    def __init__(self, token=128):
        self.token = token

    def act(self, observations, slots):
        tokens = super().act(observations, slots)
        tokens[:, 0] = self.token
        return tokens


class Quitter(Still):
    """Ends every episode at once."""

    def act(self, observations, slots):
        return super().act(observations, slots) + np.eye(11, dtype=int)[MODE] * Mode.TERMINATE


class Broken(Still):
    def act(self, observations, slots):
        return super().act(observations, slots) + 300

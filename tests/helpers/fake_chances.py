"""Policies whose success is a matter of chance, of the policy's own seed."""

from __future__ import annotations

from rtbench.core.action import RTBENCH, idle
from rtbench.core.seeding import generator
from tests.helpers.fake_policies import Pusher


class Chancy(Pusher):
    """Pushes, or stands still to the end, with that chance; a higher chance never loses an episode."""

    fingerprint = None

    def __init__(self, rate: float = 0.5, name: str = "chance", faulty: float = 0.0) -> None:
        super().__init__()
        self.rate, self.name, self.faulty = rate, name, faulty
        self.idles = {}

    def reset(self, slot, instruction, seed):
        super().reset(slot, instruction, seed)
        self.idles[slot] = generator(self.name, seed).random() >= self.rate
        if generator("faulty", seed).random() < self.faulty:
            raise ValueError("a bug of mine")

    def one(self, observation, slot):
        pushed = super().one(observation, slot)
        return RTBENCH.encode(idle()) if self.idles[slot] else pushed

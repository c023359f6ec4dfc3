"""What tests of servers that lie share: a question, and that the answer costs neither time nor memory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtbench.core.episode import Observation
from rtbench.core.errors import RtbenchError
from rtbench.core.seeding import generator
from rtbench.policy.lost import PolicyLostError

MOST_GROWTH = 100_000_000
"""Bytes by which memory may grow while a reply is read."""
ERRORS = (RtbenchError, PolicyLostError)
"""All that may come of a reply."""


def observation(instruction: str = "pick apple", seed: int = 0, number: int = 0) -> Observation:
    """An observation of head and wrist, which see the same."""
    image = generator("hostile", seed, number).integers(0, 256, (256, 320, 3), dtype=np.uint8)
    proprio = np.arange(15, dtype=np.float32)
    return Observation({"head": image, "wrist": image}, instruction, proprio, number)


@contextlib.contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Assert that what is done inside takes at most so long, and memory grows by at most `MOST_GROWTH`."""
    # Forget the highest value so far: it would hide what is allocated now.
    Path("/proc/self/clear_refs").write_text("5")
    before, start = _memory("VmRSS"), time.monotonic()
    yield
    assert time.monotonic() - start < seconds
    assert _memory("VmHWM") - before < MOST_GROWTH


def _memory(name: str) -> int:
    """A value of /proc/self/status [B]."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name)]
    return 1024 * int(line.split()[1])


@dataclass
class Hostile:
    """A server that answers as it is told, and a policy that asks it."""

    policy: Any
    """The policy."""
    answer: Callable[[Any], None]
    """Sets the reply to the next questions."""
    good: Any
    """A reply that is right."""
    seconds: float = 10.0
    """How long an answer may take."""
    ran: list[Any] = field(default_factory=list)
    """What code in a reply would append to."""

    def ask(self, policy: Any = None) -> Any:
        """Tokens of a new episode's first step."""
        asked = policy or self.policy
        asked.reset(0, "pick apple", 1)
        return asked.act([observation()], [0])

    def refuses(
        self, reply: Any, error: type[Exception] | tuple[type[Exception], ...] = RtbenchError
    ) -> None:
        """Assert that a reply is an error in a sentence, and that the policy goes on after it."""
        self.answer(reply)
        with bounded(self.seconds), pytest.raises(error) as raised:
            self.ask()
        assert 20 < len(str(raised.value)) < 700, raised.value
        assert self.ran == []
        self.answer(self.good)
        assert self.ask().shape == (1, 11)

    def survives_changes(self, whole: bytes, rounds: int, least: int, policy: Any = None) -> None:
        """Assert that replies with some bytes changed are understood or refused, `least` of them refused."""
        rng, refused = generator("changed"), 0
        with bounded(60.0 + rounds):
            for _ in range(rounds):
                data = bytearray(whole)
                for place in rng.integers(0, len(data), 4):
                    data[place] = rng.integers(0, 256)
                self.answer(bytes(data))
                try:
                    assert self.ask(policy).shape == (1, 11)
                except ERRORS:
                    refused += 1
        assert refused > least
        self.answer(self.good)
        assert self.ask(policy).shape == (1, 11)

"""How long does a decision of RT-1 take with kept image tokens, and how long when the window is seen anew?

    .venv/bin/python benchmarks/rt1_step.py [--rounds 15] [--sizes small,paper] [--threads 1,2] [--json FILE]

Random weights and made-up images of 256 x 320, one slot, a full window. A round
makes one decision each way for every size and number of threads, and ratios are
taken within it. The window's earlier images are already resized on the side that sees them anew. The last
column is the policy with four slots at once, for one of them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from measure import Samples, ms, ratios, report
from numpy.typing import NDArray

from rtbench.core.episode import Observation
from rtbench.core.seeding import generator
from rtbench.policy.rt1.checkpoint import weights_of
from rtbench.policy.rt1.config import SIZES, size
from rtbench.policy.rt1.image import prepare
from rtbench.policy.rt1.inference import Inference
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt1.policy import RT1Policy

MANY = 4


class Vectors:
    """A language encoder without language: what it costs is not measured here."""

    id = "made-up vectors"

    def __init__(self, length: int) -> None:
        self.length = length

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One fixed vector float32[D] a text."""
        return np.full((len(texts), self.length), self.length**-0.5, dtype=np.float32)


class Contest:
    """One size with one number of threads: its samples, and how to take one of each."""

    def __init__(self, name: str, threads: int) -> None:
        self.name, self.threads = name, threads
        network = RT1(size(name))
        # Away from zero, so that FiLM costs what it costs after training.
        for layer in network.modules():
            if isinstance(layer, torch.nn.Linear):
                torch.nn.init.constant_(layer.bias, 0.01)
        weights = weights_of(network)
        self.policy = RT1Policy(weights, Vectors(network.size.text), threads=threads)
        self.plain = Inference(weights, threads=threads)
        rng = generator("rt1 step", name)
        pixels = rng.integers(0, 256, (network.size.frames, 256, 320, 3), dtype=np.uint8)
        self.frames = prepare(list(pixels), network.size.image)
        self.text = Vectors(network.size.text)([""]).repeat(network.size.frames, axis=0)
        proprio = np.zeros(15, dtype=np.float32)
        self.seen = [Observation({"head": image}, "", proprio, k) for k, image in enumerate(pixels)]
        for slot in range(MANY):
            self.policy.reset(slot, "", 0)
        for _ in range(network.size.frames):
            self.policy.act(self.seen[:1] * MANY, range(MANY))
        self.kept, self.anew, self.many = (Samples(side) for side in ("kept", "anew", "many"))

    def cached(self) -> None:
        """The policy's own way."""
        self.policy.act(self.seen[-1:], [0])

    def uncached(self) -> None:
        """The newest image resized, the whole window through the network."""
        newest = prepare([self.seen[-1].images["head"]], self.plain.size.image)
        window = np.concatenate([self.frames[1:], newest])
        self.plain.decide(self.plain.image_tokens(window, self.text))

    def slots(self) -> None:
        """Four slots in one batch."""
        self.policy.act(self.seen[-1:] * MANY, range(MANY))

    def round(self) -> None:
        """One sample of each."""
        self.anew.values.append(timed(self.uncached))
        self.kept.values.append(timed(self.cached))
        self.many.values.append(timed(self.slots) / MANY)

    def result(self) -> dict[str, Any]:
        """All numbers."""
        sides = {f"{side.name}_ms": side.summary() for side in (self.kept, self.anew, self.many)}
        return {**sides, "anew_over_kept": ratios(self.anew, self.kept), "hz": round(1 / self.kept.median, 2)}

    def row(self) -> list[str]:
        """The same in a line."""
        result = self.result()
        kept, anew, many = (ms(result[f"{side}_ms"]) for side in ("kept", "anew", "many"))
        ratio = f"{result['anew_over_kept']['median']:.2f}"
        return [self.name, str(self.threads), kept, f"{result['hz']:.1f}", anew, ratio, many]


def timed(function: Callable[[], None]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--threads", default=f"1,{torch.get_num_threads()}")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    threads = sorted({int(number) for number in arguments.threads.split(",")})
    contests = [Contest(name, number) for name in arguments.sizes.split(",") for number in threads]
    for _ in range(arguments.rounds):
        for contest in contests:
            contest.round()
    columns = ["size", "threads", "kept [ms]", "Hz", "anew [ms]", "anew / kept", "of four [ms]"]
    results = {f"{contest.name}, {contest.threads} threads": contest.result() for contest in contests}
    report("RT-1's decision", columns, [contest.row() for contest in contests], results)


if __name__ == "__main__":
    main()

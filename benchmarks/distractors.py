"""What nine distractors cost: a task with none, with nine, and with nine of which one hides the target.

    .venv/bin/python benchmarks/distractors.py [--rounds 100] [--json FILE]

One control step of 1/3 s with its 256 x 320 frame, lean profile. The sides take turns, each in a kitchen of
its own, and ratios are taken within a round. The arm reaches among the objects, so that some are awake: in
every round it makes the same small motions as elsewhere. A second table has what a reset costs.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

from rtbench.env import gl

gl.prepare()

from measure import Samples, motions, ms, ratios, report  # noqa: E402

from rtbench.core.episode import Episode  # noqa: E402
from rtbench.core.seeding import generator  # noqa: E402
from rtbench.env.kitchen import Kitchen  # noqa: E402
from rtbench.task.library import BUNDLED, load_suite  # noqa: E402
from rtbench.task.suite import draw  # noqa: E402

TASK = "pick/coke_can-v0"
TARGET = 1.5
WARM_UP = 5
RESETS = 12


def episode(count: int, seed: int, variant: str = "") -> Episode:
    """The task with that many distractors of the set 'seen'."""
    others = [name for name, thing in BUNDLED.things().items() if thing.set == "seen" and name != "coke_can"]
    chosen = generator("benchmark", "distractors", seed).permutation(others)[:count].tolist()
    drawn = draw(load_suite("seen"), BUNDLED.task(TASK), seed)
    return dataclasses.replace(drawn, objects=("coke_can", *chosen), variant=variant)


class Side:
    """One kitchen with so many distractors."""

    def __init__(self, name: str, count: int, variant: str = "") -> None:
        self.count, self.variant = count, variant
        self.kitchen = Kitchen(cameras=("head",), profile="lean")
        self.steps, self.resets = Samples(name), Samples(name)
        self.tokens = motions()

    def reset(self, seed: int) -> None:
        """Begin an episode, and keep how long it took."""
        played = episode(self.count, seed, self.variant)
        start = time.perf_counter()
        self.kitchen.begin(played)
        self.resets.values.append(time.perf_counter() - start)

    def step(self, turn: int) -> None:
        """One control step."""
        start = time.perf_counter()
        self.kitchen.advance(self.tokens[turn % len(self.tokens)])
        self.steps.values.append(time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--json", type=Path)
    rounds = parser.parse_args().rounds
    sides = [Side("none", 0), Side("nine", 9), Side("nine, hidden", 9, "hidden")]
    every = max(1, rounds // RESETS)
    for turn in range(-WARM_UP, rounds):
        for side in sides[turn % len(sides) :] + sides[: turn % len(sides)]:
            if turn == -WARM_UP or (turn >= 0 and turn % every == 0):
                side.reset(max(turn, 0))
            side.step(turn)
        if turn < 0:
            for side in sides:
                side.steps.values.clear()
                side.resets.values.clear()
    rows, data = [], {"rounds": rounds, "target": TARGET}
    for side in sides:
        step, reset = ratios(side.steps, sides[0].steps), side.resets.summary()
        quartiles = f"{step['median']:.2f} ({step['q1']:.2f} to {step['q3']:.2f})"
        rows.append([side.steps.name, ms(side.steps.summary()), quartiles, ms(reset)])
        data[side.steps.name] = {"step": side.steps.summary(), "ratio": step, "reset": reset}
    columns = ["distractors", "step, ms (quartiles)", "times none", "reset, ms"]
    report("A control step and its frame with nine distractors", columns, rows, data)


if __name__ == "__main__":
    main()

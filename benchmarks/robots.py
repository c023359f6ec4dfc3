"""What a control step with one frame costs with Google's robot, beside the default one.

    .venv/bin/python benchmarks/robots.py [--rounds 200] [--json FILE]

One control step of 1/3 s with its 256 x 320 frame, lean profile, of the same task under the same seed. The
sides take turns, each in a kitchen of its own, and ratios are taken within a round: of wall time, and of the
processor time of this process, which other load of the machine disturbs less. Needs MENAGERIE_ROOT, or the
robot in the cache.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

from rtbench.env import gl

gl.prepare()

from measure import Samples, motions, ms, ratios, report  # noqa: E402

from rtbench.env.kitchen import Kitchen  # noqa: E402
from rtbench.task.library import BUNDLED, load_suite  # noqa: E402
from rtbench.task.suite import draw  # noqa: E402

TASK = "pick/coke_can-v0"
ROBOTS = ("panda_omron", "google_robot", "google_robot:simpler")
TARGET = 1.3
WARM_UP = 5
EVERY = 30
"""Steps of an episode: then the next seed begins, so that the scenes are several."""


class Side:
    """One kitchen with a robot."""

    def __init__(self, robot: str) -> None:
        self.robot, self.tokens = robot, motions()
        self.kitchen = Kitchen(cameras=("head",), profile="lean", robot=robot)
        self.wall, self.processor = Samples(robot), Samples(robot)

    def reset(self, seed: int) -> None:
        """Begin an episode."""
        suite = replace(load_suite("seen"), robot=self.robot)
        self.kitchen.begin(draw(suite, BUNDLED.task(TASK), seed))

    def step(self, turn: int) -> None:
        """One control step."""
        wall, processor = time.perf_counter(), time.process_time()
        self.kitchen.advance(self.tokens[turn % len(self.tokens)])
        self.wall.values.append(time.perf_counter() - wall)
        self.processor.values.append(time.process_time() - processor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", type=Path)
    rounds = parser.parse_args().rounds
    sides = [Side(robot) for robot in ROBOTS]
    for turn in range(-WARM_UP, rounds):
        first = turn % len(sides)
        for side in sides[first:] + sides[:first]:
            if turn in {-WARM_UP, 0} or turn % EVERY == 0:
                side.reset(max(turn, 0) // EVERY)
            side.step(turn)
        if turn < 0:
            for side in sides:
                side.wall.values.clear()
                side.processor.values.clear()
    rows, data = [], {"rounds": rounds, "target": TARGET}
    for side in sides:
        wall, processor = ratios(side.wall, sides[0].wall), ratios(side.processor, sides[0].processor)
        rows.append([
            side.robot, ms(side.wall.summary()), *(
                f"{ratio['median']:.2f} ({ratio['q1']:.2f} to {ratio['q3']:.2f})"
                for ratio in (wall, processor)
            ),
        ])  # fmt: skip
        data[side.robot] = {
            "wall": side.wall.summary(), "processor": side.processor.summary(),
            "wall ratio": wall, "processor ratio": processor,
        }  # fmt: skip
    columns = ["robot", "step, ms (quartiles)", f"times {ROBOTS[0]}", "in processor time"]
    report("A control step and its frame, by robot", columns, rows, data)


if __name__ == "__main__":
    main()

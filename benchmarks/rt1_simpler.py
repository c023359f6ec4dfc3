"""How fast does the published size of RT-1 act on SIMPLER's tasks?

    .venv/bin/python benchmarks/rt1_simpler.py [--steps 40] [--threads 1] [--json FILE]

Random weights of the size `paper`, with the convention of Google's checkpoints, decide on what the head
camera of `google_robot:simpler` shows in both profiles. One turn of the closed loop is a decision and a
control step with its frame. Beside wall time stands the processor time of this process: with one thread, what
a turn takes where nothing else runs. Needs MENAGERIE_ROOT, or the robot in the cache.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

from rtbench.env import gl

gl.prepare()

from measure import Samples, ms, report  # noqa: E402
from rt1_step import Vectors  # noqa: E402

from rtbench.core.episode import Observation  # noqa: E402
from rtbench.env.camera import PROFILES  # noqa: E402
from rtbench.env.kitchen import Kitchen  # noqa: E402
from rtbench.policy.rt1.checkpoint import weights_of  # noqa: E402
from rtbench.policy.rt1.config import PAPER  # noqa: E402
from rtbench.policy.rt1.network import RT1  # noqa: E402
from rtbench.policy.rt1.policy import RT1Policy  # noqa: E402
from rtbench.task.library import load_suite  # noqa: E402
from rtbench.task.suite import episodes  # noqa: E402

ROBOT, CONVENTION = "google_robot:simpler", "rt1-reference"
TARGET = 4.0
"""[Hz]"""


class Loop:
    """The closed loop in one profile."""

    def __init__(self, profile: str, policy: RT1Policy) -> None:
        self.policy, self.profile = policy, profile
        self.kitchen = Kitchen(cameras=("head",), profile=profile, convention_name=CONVENTION, robot=ROBOT)  # type: ignore[arg-type]
        self.walls = {name: Samples(name) for name in ("decision", "turn")}
        self.processor = {name: Samples(name) for name in ("decision", "turn")}
        self.episode = episodes(replace(load_suite("simpler"), robot=ROBOT), limit=1)[0]
        self.seen: Observation = self.kitchen.begin(self.episode)
        self.policy.reset(0, self.episode.instruction, 0)

    def turn(self) -> None:
        """One decision and one control step."""
        wall, processor = time.perf_counter(), time.process_time()
        (tokens,) = self.policy.act([self.seen], [0])
        self.walls["decision"].values.append(time.perf_counter() - wall)
        self.processor["decision"].values.append(time.process_time() - processor)
        self.seen = self.kitchen.advance(tokens)
        self.walls["turn"].values.append(time.perf_counter() - wall)
        self.processor["turn"].values.append(time.process_time() - processor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json")
    options = parser.parse_args()
    weights = weights_of(RT1(PAPER, convention=CONVENTION))
    rows, data = [], {"target_hz": TARGET, "threads": options.threads}
    for profile in PROFILES:
        loop = Loop(profile, RT1Policy(weights, Vectors(PAPER.text), threads=options.threads))
        for _ in range(PAPER.frames + options.steps):
            loop.turn()
        found: dict[str, Any] = {}
        for name in loop.walls:
            for kind, samples in (("wall", loop.walls[name]), ("processor", loop.processor[name])):
                del samples.values[: PAPER.frames]  # the window fills
                found[f"{name}, {kind}"] = samples.summary()
        hz = 1 / loop.processor["turn"].median
        rows.append([profile, *map(ms, found.values()), f"{1 / loop.walls['turn'].median:.1f}", f"{hz:.1f}"])
        data[profile] = {**found, "hz": round(1 / loop.walls["turn"].median, 2), "processor_hz": round(hz, 2)}
    columns = [
        "profile", "decision, ms", "processor", "turn, ms", "processor", "Hz", "of processor time",
    ]  # fmt: skip
    report(f"RT-1, size paper, on {ROBOT}", columns, rows, data)


if __name__ == "__main__":
    main()

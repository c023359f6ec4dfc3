"""How much cheaper is a decision of the shipped RT-1 where it decides for several slots at once?

    .venv/bin/python benchmarks/rt1_slots.py [--rounds 30] [--slots 1,2,4,8] [--json FILE]

Made-up images of 256 x 320 that change from step to step, full windows, any engine. A round
makes one call with each number of slots; compared is the time for one of them. Beside wall times stand
processor times of all threads, which other programs on the machine do not stretch.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from measure import Samples, ms, ratios, report

from rtbench.core.episode import Observation
from rtbench.core.seeding import generator
from rtbench.policy import card as cards

WARM_UP = 8
"""Calls of each size that do not count: windows fill, and engines prepare for each size."""


def main() -> None:
    """Call, and print the times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--slots", default="1,2,4,8")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    sizes = sorted({1, *(int(number) for number in options.slots.split(","))})
    policy = cards.build(cards.resolve("rt1"))
    rng = generator("rt1 slots")
    images = rng.integers(0, 256, (WARM_UP, 256, 320, 3), dtype=np.uint8)
    for slot in range(max(sizes)):
        policy.reset(slot, "pick coke can", 0)
    wall, busy = ({size: Samples(str(size)) for size in sizes} for _ in range(2))
    for turn in range(WARM_UP + options.rounds):
        for size in sizes:
            seen = [
                Observation(
                    {"head": images[(turn + slot) % WARM_UP]}, "", np.zeros(15, dtype=np.float32), turn
                )
                for slot in range(size)
            ]
            start, worked = time.perf_counter(), time.process_time()
            policy.act(seen, range(size))
            seconds, work = time.perf_counter() - start, time.process_time() - worked
            if turn >= WARM_UP:
                wall[size].values.append(seconds / size)
                busy[size].values.append(work / size)
    data, rows = {}, []
    for size in sizes:
        found = {
            "ms": wall[size].summary(),
            "ratio": ratios(wall[size], wall[1]),
            "processor_ms": busy[size].summary(),
            "processor_ratio": ratios(busy[size], busy[1]),
        }
        data[str(size)] = found
        median, of_processor = found["ratio"]["median"], found["processor_ratio"]["median"]
        rows.append(
            [str(size), ms(found["ms"]), f"{median:.2f}", ms(found["processor_ms"]), f"{of_processor:.2f}"]
        )
    columns = ["slots", "ms a decision", "times one", "processor ms", "times one"]
    report(
        "RT-1's decision for several slots at once", columns, rows, {"rounds": options.rounds, "slots": data}
    )


if __name__ == "__main__":
    main()

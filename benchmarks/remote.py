"""How much time does a server on the same machine add to a decision?

    .venv/bin/python benchmarks/remote.py [--rounds 200] [--protocols openpi,gr00t] [--json FILE]

One policy that does nothing but take a head image of 256 x 320, in this process and behind `rtbench serve`
in another, by each protocol. A round is one decision of each; what is added is the difference within a
round. Beside wall times stand processor times of both processes together, which other programs on the
machine do not stretch.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import psutil
from measure import Samples, ms, report
from numpy.typing import NDArray

from rtbench.core.action import RTBENCH, idle
from rtbench.core.episode import Observation
from rtbench.core.seeding import generator
from rtbench.policy import card as cards
from rtbench.policy.base import Needs
from rtbench.policy.remote.address import PROTOCOLS

WARM_UP = 20
"""Rounds that do not count."""
TARGET_MS = 3.0


class Still:
    """Looks at the head camera and does nothing."""

    def __init__(self) -> None:
        self.needs = Needs(cameras=("head",))
        self.fingerprint = "still"

    def reset(self, slot: int, instruction: str, seed: int) -> None:
        """Nothing to forget."""

    def act(self, observations: Sequence[Observation], slots: Sequence[int]) -> NDArray[np.int64]:
        """Tokens int64[len(slots), 11] of no motion."""
        assert all(seen.images["head"].shape == (256, 320, 3) for seen in observations)
        return np.tile(RTBENCH.encode(idle()), (len(slots), 1))


@contextmanager
def served(
    protocol: str, policy: str = f"{Path(__file__).resolve()}:Still"
) -> Iterator[tuple[str, psutil.Process]]:
    """`rtbench serve` in a process of its own; gives its address and the process."""
    command = [sys.executable, "-m", "rtbench", "serve", "--policy", policy]
    command += ["--protocol", protocol, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if found := re.search(r"\b(\w+://[\w.:]+);", line):
                    yield found[1], psutil.Process(process.pid)
                    break
        finally:
            process.terminate()


def main() -> None:
    """Ask, and print the times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--protocols", default=",".join(PROTOCOLS))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    names = options.protocols.split(",")
    images = generator("remote").integers(0, 256, (8, 256, 320, 3), dtype=np.uint8)
    here = cards.build(cards.resolve(f"{Path(__file__).resolve()}:Still"))
    added = {name: Samples(name) for name in names}
    busy = dict.fromkeys(names, 0.0)
    with ExitStack() as stack:
        servers = {name: stack.enter_context(served(name)) for name in names}
        policies = {name: cards.build(cards.resolve(f"remote:{url}")) for name, (url, _) in servers.items()}
        for policy in (here, *policies.values()):
            policy.reset(0, "pick apple", 0)
        for turn in range(WARM_UP + options.rounds):
            if turn == WARM_UP:
                before = {name: process.cpu_times() for name, (_, process) in servers.items()}
                busy = dict.fromkeys(names, 0.0)
            seen = [
                Observation({"head": images[turn % 8]}, "pick apple", np.zeros(15, dtype=np.float32), turn)
            ]
            start = time.perf_counter()
            here.act(seen, [0])
            local = time.perf_counter() - start
            for name, policy in policies.items():
                start, worked = time.perf_counter(), time.process_time()
                policy.act(seen, [0])
                if turn >= WARM_UP:
                    added[name].values.append(time.perf_counter() - start - local)
                busy[name] += time.process_time() - worked
        for name, (_, process) in servers.items():
            after = process.cpu_times()
            busy[name] += after.user + after.system - before[name].user - before[name].system
    data, rows = {}, []
    for name in names:
        work = 1e3 * busy[name] / options.rounds
        data[name] = {"added_ms": added[name].summary(), "processor_ms": round(work, 3)}
        within = np.mean([value <= TARGET_MS / 1e3 for value in added[name].values])
        rows.append([name, ms(data[name]["added_ms"]), f"{100 * within:.0f} %", f"{work:.2f}"])
    columns = ["protocol", "ms added", f"within {TARGET_MS:g} ms", "processor ms of both"]
    report("What a server adds to a decision", columns, rows, {"rounds": options.rounds, "protocols": data})


if __name__ == "__main__":
    main()

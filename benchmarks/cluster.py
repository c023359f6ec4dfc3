"""How much slower is a run on Ray than on this machine alone, with as many workers; are the records the same?

    .venv/bin/python benchmarks/cluster.py [--episodes 500] [--workers 2] [--rounds 1] [--json FILE]

Ray is started, or connected to, before times are taken; how long that takes is told apart. Then two episodes
are played here untimed: whichever way came first would pay for what this process reads and imports once, some
5 s, and Ray's own processes come to rest meanwhile. A round plays the oracle's episodes once each way, in
turns. Told are the whole time, in which a replica and workers start; the time from the first record to the
last; and the processor time of all processes, Ray's own too. It is sampled four times a second.

On a busy machine only the processor time tells: Linux shares cores between sessions, and Ray's actors have
one of their own.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Self

import psutil
from measure import Samples, report, some_episodes

from rtbench.evaluation.engine import engine
from rtbench.evaluation.evaluate import Options, evaluate
from rtbench.evaluation.progress import Silent
from rtbench.result.run import Run

PARTS = ("whole", "between records", "processor time")
"""What is measured [s]."""


class Processors:
    """Adds up the processor time of this process and all below it while it is entered."""

    def __init__(self) -> None:
        self._first, self._last = self._now(), {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._last |= self._now()

    @property
    def seconds(self) -> float:
        """What was spent since the beginning [s]."""
        return sum(spent - self._first.get(key, 0.0) for key, spent in self._last.items())

    def _watch(self) -> None:
        while not self._over.wait(0.25):
            self._last |= self._now()

    @staticmethod
    def _now() -> dict[tuple[int, float], float]:
        here, found = psutil.Process(), {}
        for process in [here, *here.children(recursive=True)]:
            try:
                times = process.cpu_times()
                found[process.pid, process.create_time()] = times.user + times.system
            except psutil.NoSuchProcess:
                continue
        return found


class Clock(Silent):
    """Notes when each episode ends."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def episode(self, success: bool | None) -> None:  # noqa: ARG002
        """Note the time [s]."""
        self.ends.append(time.perf_counter())


def essence(run: Run) -> dict[str, Any]:
    """What must not depend on the engine."""
    return {r.key: (r.outcome, r.tokens, r.hashes, r.final_hash, r.fingerprint, r.error) for r in run.records}


def play(name: str, options: argparse.Namespace, episodes: int) -> tuple[tuple[float, ...], Run]:
    """Seconds by `PARTS`, and the run."""
    clock = Clock()
    replicas = options.replicas if name == "ray" else None
    with tempfile.TemporaryDirectory() as folder, Processors() as processors:
        how = Options(engine=engine(name, replicas), images=options.images, reporter=clock)
        start = time.perf_counter()
        chosen = some_episodes(episodes)
        run = evaluate("oracle", chosen, out=folder, workers=options.workers, options=how)
        whole = time.perf_counter() - start
    return (whole, clock.ends[-1] - clock.ends[0], processors.seconds), run


def main() -> None:
    """Play both ways, and print the times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--episodes", type=int, default=500)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--replicas", type=int)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--images", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    import ray

    start = time.perf_counter()
    ray.init(log_to_driver=False, configure_logging=False, logging_level="error")
    connected = time.perf_counter() - start
    play("local", options, 2)
    times = {name: {part: Samples(part) for part in PARTS} for name in ("local", "ray")}
    same = True
    for turn in range(options.rounds):
        found = {}
        for name in list(times)[:: 1 if turn % 2 else -1]:
            seconds, run = play(name, options, options.episodes)
            for part, spent in zip(PARTS, seconds, strict=True):
                times[name][part].values.append(spent)
            found[name] = essence(run)
            print(
                name,
                *(f"{part} {spent:.1f} s" for part, spent in zip(PARTS, seconds, strict=True)),
                flush=True,
            )
        same = same and found["local"] == found["ray"]
    ray.shutdown()
    ratio = {part: times["ray"][part].median / times["local"][part].median for part in PARTS}
    rows = [
        [part, *(f"{times[name][part].median:.1f}" for name in times), f"{ratio[part]:.3f}"] for part in PARTS
    ]
    rows += [["Ray's own start", "", f"{connected:.1f}", ""], ["records equal", "", str(same), ""]]
    title = f"{options.episodes} oracle episodes, {options.workers} workers"
    data = {"ratio": ratio, "same": same, "ray start s": connected, "target": 1.1}
    report(title, ["seconds", "local", "ray", "ratio"], rows, data)


if __name__ == "__main__":
    main()

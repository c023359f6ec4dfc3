"""How long a suite takes: oracle episodes with and without images, the reset's share, a worker's memory.

    .venv/bin/python benchmarks/throughput.py [--episodes 100] [--workers 2] [--json FILE]

The oracle needs no images; here the workers draw them all the same, as they would for a learned policy.
Memory is sampled twice a second: the resident set of each child process, the largest counts.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Self

import psutil
from measure import report, some_episodes

from rtbench.env import gl
from rtbench.evaluation.evaluate import Options, evaluate

TARGET = {"images": 120.0, "no images": 60.0, "reset ms": 60.0, "worker MB": 600.0}


class Memory:
    """Samples the memory of all child processes until told to stop."""

    def __init__(self) -> None:
        self.peak: dict[int, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def largest(self) -> float:
        """Largest resident set of one child [MB]."""
        return max(self.peak.values(), default=0) / 1e6

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            for child in psutil.Process().children(recursive=True):
                try:
                    size = child.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
                self.peak[child.pid] = max(size, self.peak.get(child.pid, 0))


def play(count: int, workers: int, *, images: bool) -> dict[str, Any]:
    """Play the first `count` episodes of the seen suite in a new run folder."""
    with tempfile.TemporaryDirectory() as folder, Memory() as memory:
        start = time.perf_counter()
        run = evaluate(
            "oracle", some_episodes(count), out=folder, workers=workers, options=Options(images=images)
        )
        seconds = time.perf_counter() - start
    done = [record for record in run.records if record.outcome]
    resets = [record.times.reset for record in done]
    steps = [t for record in done for t in record.times.env]
    if len(done) != count:
        raise RuntimeError(f"{count - len(done)} of {count} episodes ended in an error")
    drawn = sum("frame" in record.fingerprint for record in done)
    if drawn != (count if images else 0):
        raise RuntimeError(f"{drawn} of {count} episodes drew their first frame")
    return {
        "seconds": round(seconds, 2),
        "success": sum(r.outcome.end for r in done if r.outcome),
        "steps": len(steps),
        "env_ms": round(statistics.median(steps), 2),
        # The mean, for what is set up once a worker must be paid by the episodes too.
        "reset_ms": round(statistics.fmean(resets), 2),
        "worker_mb": round(memory.largest),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    gl.prepare()
    results = {
        "images": play(options.episodes, options.workers, images=True),
        "no images": play(options.episodes, options.workers, images=False),
    }
    rows = [[name, *(str(value) for value in result.values())] for name, result in results.items()]
    rows.append(["target", f"{TARGET['images']:.0f} / {TARGET['no images']:.0f}", "", "", "", "60", "600"])
    columns = ["oracle", "seconds", "success", "steps", "env ms", "reset ms", "worker MB"]
    data = {"episodes": options.episodes, "workers": options.workers, "result": results, "target": TARGET}
    report(f"{options.episodes} oracle episodes, {options.workers} workers", columns, rows, data)


if __name__ == "__main__":
    main()

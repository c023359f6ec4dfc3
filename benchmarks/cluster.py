"""How much slower is a run on Ray than on this machine alone, with as many workers; are the records the same?

    .venv/bin/python benchmarks/cluster.py [--episodes 500] [--workers 2] [--rounds 1] [--json FILE]

Ray is started, or connected to, before times are taken; how long that takes is told apart. A round plays the
oracle's episodes once each way, in turns. A replica and its workers start within the time, as local workers
do.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from measure import Samples, report, some_episodes

from rtbench.evaluation.engine import engine
from rtbench.evaluation.evaluate import Options, evaluate
from rtbench.evaluation.progress import Silent
from rtbench.result.run import Run


def essence(run: Run) -> dict[str, Any]:
    """What must not depend on the engine."""
    return {r.key: (r.outcome, r.tokens, r.hashes, r.final_hash, r.fingerprint, r.error) for r in run.records}


def play(name: str, count: int, workers: int, replicas: int | None, *, images: bool) -> tuple[float, Run]:
    """Seconds, and the run."""
    with tempfile.TemporaryDirectory() as folder:
        options = Options(engine=engine(name, replicas), images=images, reporter=Silent())
        start = time.perf_counter()
        run = evaluate("oracle", some_episodes(count), out=folder, workers=workers, options=options)
        return time.perf_counter() - start, run


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
    times, same = {"local": Samples("local"), "ray": Samples("ray")}, True
    for turn in range(options.rounds):
        found = {}
        for name in list(times)[:: 1 if turn % 2 else -1]:
            seconds, run = play(
                name, options.episodes, options.workers, options.replicas if name == "ray" else None,
                images=options.images,
            )  # fmt: skip
            times[name].values.append(seconds)
            found[name] = essence(run)
            print(f"{name}: {seconds:.1f} s", flush=True)
        same = same and found["local"] == found["ray"]
    ray.shutdown()
    ratio = times["ray"].median / times["local"].median
    rows = [[name, f"{one.median:.1f}"] for name, one in times.items()]
    rows += [["ratio", f"{ratio:.3f}"], ["records equal", str(same)], ["Ray's own start", f"{connected:.1f}"]]
    data = {"ratio": ratio, "same": same, "ray start s": connected, "target": 1.1}
    title = f"{options.episodes} oracle episodes, {options.workers} workers"
    report(title, ["engine", "seconds"], rows, data)


if __name__ == "__main__":
    main()

"""How long a table of many runs takes, and how much memory: read, counted, tested in pairs and written.

.venv/bin/python benchmarks/table.py [--runs 200] [--episodes 500] [--by split] [--json FILE]

The runs are made up, written to a temporary folder, and read in a fresh interpreter.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import Samples, ms, report

from rtbench.core.seeding import generator

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.helpers import synthetic_runs as synthetic

TARGET = 10.0
"""[s]."""
CODE = (
    "import resource, sys\n"
    "from rtbench.cli import main\n"
    "try:\n"
    "    main()\n"
    "finally:\n"
    "    used = resource.getrusage(resource.RUSAGE_SELF)\n"
    "    print(used.ru_utime + used.ru_stime, used.ru_maxrss // 1024, file=sys.stderr)\n"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--episodes", type=int, default=500)
    parser.add_argument("--by", default="split")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    samples, busy, memory = Samples("table"), Samples("processor"), 0
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder) / "runs", chosen.runs, chosen.episodes)
        command = [sys.executable, "-c", CODE, "table", str(Path(folder) / "runs"), "--by", chosen.by]
        for _ in range(chosen.rounds):
            start = time.perf_counter()
            done = subprocess.run(
                [*command, "--output", f"{folder}/table.json"], capture_output=True, text=True, check=True
            )
            samples.values.append(time.perf_counter() - start)
            *_, seconds, peak = done.stderr.split()
            busy.values.append(float(seconds))
            memory = max(memory, int(peak))
    summary, used = samples.summary(), busy.summary()
    what = f"{chosen.runs} runs of {chosen.episodes}"
    rows = [[what, ms(summary), f"{1000 * TARGET:.0f}", ms(used), str(memory)]]
    data = {
        "ms": summary, "processor_ms": used, "target_ms": 1000 * TARGET, "peak_mib": memory,
        "runs": chosen.runs, "episodes": chosen.episodes, "by": chosen.by,
    }  # fmt: skip
    report("Table of many runs", ["what", "ms (quartiles)", "target", "processor ms", "peak MiB"], rows, data)


def _write(out: Path, runs: int, count: int) -> None:
    half = count // 2
    episodes = [
        *synthetic.episodes(half),
        *synthetic.episodes(count - half, suite="novel", split="novel", axis="backgrounds/easy"),
    ]
    for number in range(runs):
        rate = float(generator("benchmarks/table", number).random())
        synthetic.write(out, synthetic.rated(episodes, rate, number), f"policy_{number:03d}")


if __name__ == "__main__":
    main()

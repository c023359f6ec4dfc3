"""How long comparing two large runs takes, and how much memory, from the command line's start to its end.

.venv/bin/python benchmarks/compare.py [--episodes 100000] [--rounds 3] [--json FILE]

The runs are made up: records in the true form, of episodes of 20 control steps, with random outcomes.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import Samples, ms, report

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.helpers import synthetic_runs as synthetic  # noqa: E402 - found by the line above

TARGET_S, TARGET_MB = 5.0, 1000.0
STEPS = 20
RATES = {"baseline": 0.8, "candidate": 0.78}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--episodes", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rtbench-compare-") as out:
        folders = [_write(Path(out), name, rate, given.episodes) for name, rate in RATES.items()]
        megabytes = sum((folder / "episodes.jsonl").stat().st_size for folder in folders) / 1e6
        command = [sys.executable, "-m", "rtbench", "compare", *map(str, folders), "--flips", "0"]
        samples = Samples("compare")
        for _ in range(given.rounds):
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
            samples.values.append(time.perf_counter() - start)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    memory, processor = used.ru_maxrss / 1e3, (used.ru_utime + used.ru_stime) / given.rounds
    summary = samples.summary()
    rows = [
        ["wall time, ms (quartiles)", ms(summary), f"{1000 * TARGET_S:.0f}"],
        ["processor time, s (not the machine's other work)", f"{processor:.2f}", ""],
        ["memory, MB", f"{memory:.0f}", f"{TARGET_MB:.0f}"],
        ["records on the disk, MB", f"{megabytes:.0f}", ""],
    ]
    data = {
        "ms": summary,
        "memory_mb": round(memory),
        "records_mb": round(megabytes),
        "episodes": given.episodes,
    }
    report(f"Comparing two runs of {given.episodes} episodes", ["what", "measured", "target"], rows, data)


def _write(out: Path, name: str, rate: float, count: int) -> Path:
    """A run whose records succeed at that rate, the seed being the name's length."""
    records = synthetic.rated(synthetic.episodes(count), rate, len(name), steps=STEPS)
    return synthetic.write(out, records, name)


if __name__ == "__main__":
    main()

"""How long listing takes: all suites read, expanded and drawn in full, in a fresh interpreter.

.venv/bin/python benchmarks/listing.py [--rounds 5] [--json FILE]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from measure import Samples, ms, report

TARGET = 3.0
"""[s]."""
CODE = (
    "from rtbench.task import suite\nfrom rtbench.task.library import BUNDLED\n"
    "names = BUNDLED.suites()\n"
    "print(sum(len(suite.episodes(BUNDLED.suite(name))) for name in names))\n"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    samples, episodes = Samples("listing"), 0
    for _ in range(parser.parse_args().rounds):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
        samples.values.append(time.perf_counter() - start)
        episodes = int(done.stdout)
    summary = samples.summary()
    rows = [[f"all suites, {episodes} episodes", ms(summary), f"{1000 * TARGET:.0f}"]]
    data = {"ms": summary, "episodes": episodes, "target_ms": 1000 * TARGET}
    report("Reading, expanding and drawing all suites", ["what", "ms (quartiles)", "target"], rows, data)


if __name__ == "__main__":
    main()

"""How long one waits: help, import, and the first episode of a fresh process once the robot is baked.

    .venv/bin/python benchmarks/start.py [--rounds 5] [--json FILE]

Each is measured from outside, as the wall time of a process; an empty Python process is shown beside them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from measure import Samples, ms, report

from rtbench.env import gl

FIRST = """
from rtbench.env import gl
gl.prepare()
from rtbench.task.library import load_suite
from rtbench.env.kitchen import Kitchen
from rtbench.task.suite import episodes
observation = Kitchen(cameras=("head",)).begin(episodes(load_suite("seen"), limit=1)[0])
assert observation.images["head"].std() > 5
"""
WHAT = {
    "empty Python": (["-c", "pass"], None),
    "rtbench --help": (
        ["-c", "import sys; sys.argv[1:] = ['--help']; from rtbench.cli import main; main()"],
        0.5,
    ),
    "import rtbench": (["-c", "import rtbench"], None),
    "first episode's first image": (["-c", FIRST], 5.0),
}
"""Name -> arguments of Python, target [s]."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    rounds = parser.parse_args().rounds
    gl.select()  # probing the back end happens once a machine, as baking does
    script = Path(sys.executable).with_name("rtbench")
    commands = {name: [sys.executable, *arguments] for name, (arguments, _) in WHAT.items()}
    if script.exists():
        commands["rtbench --help"] = [str(script), "--help"]
    samples = {name: Samples(name) for name in commands}
    for turn in range(rounds + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            if turn:  # the first bakes, and fills the disk cache
                samples[name].values.append(time.perf_counter() - start)
    summary = {name: s.summary() for name, s in samples.items()}
    targets = {name: target for name, (_, target) in WHAT.items()}
    rows = [[n, ms(s), f"{1e3 * t:.0f}" if (t := targets[n]) else ""] for n, s in summary.items()]
    report("Start", ["what", "ms (quartiles)", "target"], rows, {"ms": summary, "target_s": targets})


if __name__ == "__main__":
    main()

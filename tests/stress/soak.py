"""One long run of the oracle, in which a worker is killed now and then: nothing may be lost, or grow.

    python -m tests.stress.soak --episodes 10000 --out runs/soak

`make soak` runs it. The same command continues a run that was stopped.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil

from rtbench.core.seeding import generator
from rtbench.result.folder import EPISODES
from rtbench.result.run import load_run
from tests.helpers.paths import ROOT

GROWTH_MB = 100
"""Memory that the main process may have more at the end than after the first kill [MB]."""
POLL_S = 0.5


@dataclass(frozen=True)
class Sample:
    """The processes of a run at one moment."""

    episodes: int
    """Records so far."""
    seconds: float
    """Since the run began."""
    main_mb: float
    """Resident memory of the main process [MB]."""
    descriptors: int
    """Open file descriptors of the main process."""
    workers_mb: float
    """Resident memory of the largest worker [MB]."""

    def __str__(self) -> str:
        return (
            f"{self.episodes:6} episodes  {self.seconds:6.0f} s  main {self.main_mb:5.0f} MB  "
            f"{self.descriptors:3} descriptors  largest worker {self.workers_mb:5.0f} MB"
        )


def command(episodes: int, skill: str, out: Path) -> list[str]:
    """A run of the oracle."""
    rounds = ["--rounds", str(episodes), "--limit", str(episodes)]
    options = ["--suite", "seen", "--skill", skill, *rounds, "--jobs", "2"]
    return [sys.executable, "-m", "rtbench", "run", "--policy", "oracle", *options, "--out", str(out)]


def soak(line: list[str], out: Path, each: int) -> list[Sample]:
    """Play to the end; a worker dies each `each` episodes. Gives a sample at each death, and at the end."""
    random, began = generator("soak"), time.monotonic()
    samples: list[Sample] = []
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(line, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        main, last = psutil.Process(process.pid), None
        due = _records(out) // each * each + each
        while process.poll() is None:
            time.sleep(POLL_S)
            try:
                last = _sample(main, _records(out), time.monotonic() - began)
                if last.episodes < due:
                    continue
                if not (workers := main.children()):
                    continue
                os.kill(workers[int(random.integers(len(workers)))].pid, signal.SIGKILL)
            except (psutil.NoSuchProcess, ProcessLookupError):
                continue
            due += each
            samples.append(last)
            print(last, flush=True)
    assert process.returncode == 0, f"exit code {process.returncode}"
    return [*samples, last] if last else samples


def _records(out: Path) -> int:
    files = list(out.rglob(EPISODES))
    return sum(file.read_bytes().count(b"\n") for file in files)


def _sample(main: psutil.Process, episodes: int, seconds: float) -> Sample:
    workers = [child.memory_info().rss for child in main.children()]
    return Sample(
        episodes, seconds, main.memory_info().rss / 1e6, main.num_fds(), max(workers, default=0) / 1e6
    )


def main() -> None:
    """Play as the command line says, and check what is left."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=500, help="episodes between two kills")
    parser.add_argument("--skill", default="knock_over")
    parser.add_argument("--out", type=Path, default=Path("runs/soak"))
    given = parser.parse_args()
    samples = soak(command(given.episodes, given.skill, given.out), given.out, given.each)
    (file,) = given.out.rglob(EPISODES)
    run = load_run(file.parent)
    keys = Counter(record.key for record in run.records)
    assert len(keys) == given.episodes, f"{len(keys)} of {given.episodes} episodes"
    assert max(keys.values()) == 1, "an episode is there twice"
    assert not run.summary.overall.errors, f"{run.summary.overall.errors} errors"
    first, last = samples[0], samples[-1]
    assert last.main_mb < first.main_mb + GROWTH_MB, "the main process grew"
    assert last.descriptors <= first.descriptors + 2, "descriptors are left open"
    print(f"{len(keys)} episodes, each once, no error; {len(samples) - 1} workers killed. {last}")


if __name__ == "__main__":
    main()

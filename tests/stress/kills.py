"""Kills workers and runs at random moments; each run must end with an uninterrupted one's records.

`make soak` runs it for long, `tests/integration/test_kills.py` for a moment:

    python -m tests.stress.kills --workers 100 --runs 50            # the toy environment
    python -m tests.stress.kills --workers 20 --runs 10 --oracle    # the kitchen
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from rtbench.core.seeding import generator
from rtbench.result.run import Run, load_run
from tests.helpers.paths import ROOT
from tests.helpers.runs import essence

YOUNG_S = 1.0
"""A worker that is younger when it is killed counts as starting [s]."""
MOST_STARTS = 200
"""Times that one run may be begun or continued."""

Command = Callable[[Path], list[str]]
"""Arguments for a run into a folder."""


def toy(out: Path, count: int = 24) -> list[str]:
    """A run of the toy environment, some 2 s long on a quiet core."""
    code = (
        "import sys; from tests.helpers.runs import episodes, play; "
        f"play(sys.argv[1], episodes({count}, variant='slow:0.01'), workers=2)"
    )
    return [sys.executable, "-c", code, str(out)]


def oracle(out: Path) -> list[str]:
    """A run of the kitchen."""
    options = ["--policy", "oracle", "--suite", "seen", "--limit", "12", "--jobs", "2", "--max-errors", "1"]
    return [sys.executable, "-m", "rtbench", "run", *options, "--out", str(out)]


@dataclass
class Found:
    """What came of it."""

    workers: int = 0
    """Workers that were killed."""
    young: int = 0
    """Of these, those that were starting."""
    runs: int = 0
    """Main processes that were killed."""
    finished: int = 0
    """Runs that ended complete, without an error, and equal to the uninterrupted one."""
    codes: Counter[int] = field(default_factory=Counter)
    """Exit codes of the main processes."""

    def __str__(self) -> str:
        return (
            f"{self.workers} workers killed ({self.young} while starting), {self.runs} runs killed; "
            f"{self.finished} runs ended with the records of an uninterrupted one; exit codes "
            f"{dict(sorted(self.codes.items()))}"
        )


def kill(
    command: Command, out: Path, workers: int, runs: int, seed: int = 0, say: Callable[[str], None] = str
) -> Found:
    """Kill that many workers and runs; raises an AssertionError where a record is lost or differs."""
    random, found = generator("kills", seed), Found()
    began = time.monotonic()
    subprocess.run(command(out / "whole"), cwd=ROOT, env=_environment(), check=True, capture_output=True)
    whole, pace_s = essence(_run(out / "whole")), (time.monotonic() - began) / 4
    while found.workers < workers or found.runs < runs:
        folder = out / f"killed{found.finished}"
        for _ in range(MOST_STARTS):
            _play(command(folder), found, (workers, runs), random, pace_s)
            if _complete(folder):
                break
        run = _run(folder)
        assert _complete(folder), f"{folder}: never ended: {dict(found.codes)}"
        assert essence(run) == whole, f"{folder}: records differ"
        found.finished += 1
        say(f"{found}")
    return found


def _play(line: list[str], found: Found, most: tuple[int, int], random, pace_s: float) -> None:
    """Begin or continue a run, and kill in it what may still be killed."""
    process = subprocess.Popen(
        line, cwd=ROOT, env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    killed = False
    while process.poll() is None:
        left = most[0] - found.workers, most[1] - found.runs
        if max(left) <= 0:
            process.wait()
            break
        try:
            process.wait(random.uniform(0, pace_s))
        except subprocess.TimeoutExpired:
            killed = random.uniform(0, max(sum(left), 1)) < left[1]
            if killed:
                process.kill()
                process.wait()
                found.runs += 1
            elif left[0] > 0:
                _kill_a_worker(process.pid, found, random)
    found.codes[process.returncode] += 1
    assert killed or process.returncode in {0, 5, 6}, f"exit code {process.returncode}"


def _kill_a_worker(run: int, found: Found, random) -> None:
    try:
        workers = psutil.Process(run).children()
        if workers:
            chosen = workers[int(random.integers(len(workers)))]
            age = time.time() - chosen.create_time()
            os.kill(chosen.pid, signal.SIGKILL)
            found.workers += 1
            found.young += age < YOUNG_S
    except (psutil.NoSuchProcess, ProcessLookupError):
        return


def _complete(out: Path) -> bool:
    if not list(out.rglob("run.json")):
        return False
    summary = _run(out).summary
    return summary.complete and not summary.overall.errors


def _run(out: Path) -> Run:
    (file,) = out.rglob("run.json")
    return load_run(file.parent)


def _say(text: str) -> None:
    print(text, flush=True)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def main() -> None:
    """Kill as the command line says, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=100, help="workers to kill")
    parser.add_argument("--runs", type=int, default=50, help="runs to kill")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--oracle", action="store_true", help="in the kitchen, not the toy environment")
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        command = oracle if given.oracle else toy
        found = kill(command, Path(folder), given.workers, given.runs, given.seed, _say)
    _say(f"{found}; {time.monotonic() - began:.0f} s in all")


if __name__ == "__main__":
    main()

"""Every command that writes, on a disk that is full and on one that is read-only. Needs root, for it mounts.

    python -m tests.stress.full_disk

Right is: a sentence, an exit code that is no verdict, no traceback, and the earlier file intact.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.helpers.paths import ROOT

SIZE_KB = 1024
"""Size of the disk."""
OLD = b"what was there before".ljust(4096)  # a whole page: an appended line needs another


def lines(data: Path) -> dict[str, list[str]]:
    """Commands by name; OUT stands for a file or folder on the disk, with its suffix."""
    reference = ROOT / "results/reference"
    noop, random = (next((reference / name / "seen").iterdir()) for name in ("noop", "random"))
    parts = [str(run) for run in (data / "noop" / "seen").iterdir()]
    demos = str(data / "demos.h5")
    key = next((noop / "episodes.jsonl").open()).split('"key":"')[1].split('"')[0]
    return {
        "run, a new one": ["run", "--policy", "noop", "--limit", "2", "--jobs", "1", "--out", "OUT"],
        "table": ["table", str(noop), str(random), "--output", "OUT.md"],
        "report": ["report", str(noop), "--output", "OUT.html"],
        "export, CSV": ["export", str(noop), "--output", "OUT.csv"],
        "export, Parquet": ["export", str(noop), "--output", "OUT.parquet"],
        "export, LeRobot": ["export", demos, "--format", "lerobot", "--output", "OUT"],
        "merge": ["merge", *parts, "--output", "OUT"],
        "gate, JUnit": ["gate", str(random), "--baseline", str(noop), "--junit", "OUT.xml"],
        "gate, summary": ["gate", str(random), "--baseline", str(noop), "--summary", "OUT.md"],
        "replay": ["replay", f"{noop}:{key}", "--output", "OUT.mp4"],
        "demos": ["demos", "-n", "2", "--skill", "drive", "--jobs", "1", "--output", "OUT_new.h5"],
        "looks": ["looks", demos, "--jobs", "1", "--output", "OUT_new.h5"],
        "vqa": ["vqa", "-n", "2", "--jobs", "1", "--output", "OUT_new.h5"],
        "train rt1": ["train", "rt1", "--data", demos, "--steps", "1", "--batch", "2", "--output", "OUT"],
        "train rt2": [
            "train", "rt2", "--data", demos, "--robot-share", "1", "--naming-loss-weight", "0",
            "--steps", "1", "--batch", "2", "--output", "OUT",
        ],
    }  # fmt: skip


@contextmanager
def disk(*, full: bool) -> Iterator[Path]:
    """A folder on a disk of its own, full or read-only; each name that is asked for is there already."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_KB}k", "tmpfs", name], check=True)
        try:
            for suffix in ("md", "html", "csv", "parquet", "xml", "mp4", "h5"):
                (folder / f"out.{suffix}").write_bytes(OLD)
            if full:
                with suppress(OSError), (folder / "filling").open("wb", buffering=0) as file:
                    while file.write(bytes(4096)):
                        pass
            else:
                subprocess.run(["mount", "-o", "remount,ro", name], check=True)
            yield folder
        finally:
            subprocess.run(["umount", name], check=True)


def main() -> None:
    """Print a row for each command and disk."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        rtbench = [sys.executable, "-m", "rtbench"]
        made = ["demos", "-n", "2", "--skill", "drive", "--jobs", "1", "--output", str(data / "demos.h5")]
        how: dict[str, Any] = {"env": environment, "cwd": ROOT, "text": True, "capture_output": True}
        subprocess.run([*rtbench, *made], check=True, **how)
        for skill in ("drive", "pick"):
            part = ["run", "--policy", "noop", "--skill", skill, "--limit", "1", "--jobs", "1", "--out", name]
            subprocess.run([*rtbench, *part], check=True, **how)
        for full in (True, False):
            for what, line in lines(data).items():
                with disk(full=full) as folder:
                    words = [word.replace("OUT", f"{folder}/out") for word in line]
                    done = subprocess.run([*rtbench, *words], check=False, **how)
                    intact = all(file.read_bytes() == OLD for file in folder.glob("out.*"))
                    left = [file.name for file in folder.iterdir() if file.name.startswith(".")]
                good = done.returncode not in {0, 1, 3, 70} and "Traceback" not in done.stderr and intact
                said = (done.stderr.strip().splitlines() or [""])[-1]
                found = "ok " if good and not left else "BAD"
                print(f"{found} {what:16} {'full' if full else 'read-only':9} {done.returncode:3} {said}")


if __name__ == "__main__":
    main()

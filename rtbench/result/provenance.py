"""Where a result comes from: command, code, versions and machine, for run.json."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rtbench.core.hashing import source_hash
from rtbench.result.metadata import Commit, Machine, Session

PACKAGES = (
    "rtbench", "mujoco", "numpy", "scipy", "gymnasium", "fast-simplification", "pydantic", "imageio",
    "onnxruntime", "tokenizers", "torch", "transformers",
)  # fmt: skip
"""Packages whose versions may change a result."""
SIMULATING = (
    "core/action.py", "core/environment.py", "core/episode.py", "core/rotation.py", "core/seeding.py",
    "core/vector.py", "core/world.py", "evaluation/latency.py", "evaluation/rollout.py", "task/appearance.py",
    "task/object_entry.py", "task/object_parts.py", "task/object_shape.py", "task/predicate.py",
    "task/scene_entry.py", "task/task.py", "task/variant_entry.py",
)  # fmt: skip
"""Files of the package that, with those of env/, decide what happens in an episode."""
NOT_SIMULATING = ("diagnostics.py", "registration.py")
"""Files of env/ that do not."""
_ROOT = Path(__file__).resolve().parents[2]


def session() -> Session:
    """What is true of this process."""
    return Session(
        started=datetime.now(UTC).isoformat(timespec="milliseconds"),
        command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]) if sys.argv else "",
        git=git(_ROOT),
        packages=packages(),
        machine=machine(),
    )


@lru_cache(maxsize=1)
def code_hash() -> str:
    """12 hex digits: SHA-256 of the code that simulates; a policy's own is in its identity.

    Two states of a checkout call themselves by one version; a run is not continued with other code than it
    was begun with, and a comparison says where they differ.
    """
    package = Path(__file__).resolve().parent.parent
    env = [path for path in (package / "env").rglob("*.py") if path.name not in NOT_SIMULATING]
    return source_hash([*(package / name for name in SIMULATING), *env], package)


@lru_cache(maxsize=1)
def packages() -> dict[str, str]:
    """Versions of the packages that are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git(root: Path) -> Commit | None:
    """Commit of the checkout at `root` and whether it has changes; None where it is no checkout."""
    if not (root / ".git").exists():
        return None
    commit = _git(root, "rev-parse", "HEAD")
    status = _git(root, "status", "--porcelain", "--untracked-files=no")
    if commit is None or status is None:
        return None
    return Commit(commit=commit, dirty=bool(status))


def machine() -> Machine:
    """Platform, Python, processor and memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        platform=f"{platform.system()} {platform.release().partition('-')[0]} {platform.machine()}",
        python=platform.python_version(),
        cpu=_cpu(),
        cores=os.cpu_count(),
        memory_gib=round(memory / 2**30, 1),
    )


def _git(root: Path, *arguments: str) -> str | None:
    try:
        command = ["git", "-C", str(root), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

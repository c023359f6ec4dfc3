"""A file of demonstrations while it is recorded or drawn: a folder of small files.

An HDF5 file is lost if its process is killed while it writes. Here each part appears whole or not at all, and
the file is assembled when all parts are there. A recording has a part for each episode, a drawing one for
each block of demonstrations.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rtbench.data.demonstration import (
    Demonstration,
    DemonstrationError,
    Demonstrations,
    Header,
    check_alike,
)
from rtbench.data.hdf5_writer import Writer

_KEPT, _FAILED = ".h5", ".failed"


class Parts:
    """Episodes of one file that have been played; one process at a time."""

    def __init__(self, output: Path, header: Header) -> None:
        """Begin a file, or continue one, from the parts of a killed process or from the file itself.

        Raises:
            DemonstrationError: it was begun with other settings, is damaged, cannot be written, or another
                process is writing it.
        """
        self.output, self.header = output, header
        self._folder = _Folder(output)
        self.folder = self._folder.path
        try:
            self.kept, self.failed = self._find()
        except DemonstrationError:
            self.close()
            raise

    def _find(self) -> tuple[dict[str, Path], set[str]]:
        """The file of each demonstration by its episode's key, and the keys that failed."""
        kept: dict[str, Path] = {}
        failed = {path.stem for path in self.folder.glob(f"*{_FAILED}")}
        for path in sorted(self.folder.iterdir()):
            if path.suffix not in {_KEPT, _FAILED} or path.name.startswith("."):
                path.unlink()  # a part that a killed process had begun to write
        for path in sorted(self.folder.glob(f"*{_KEPT}")):
            try:
                demos = Demonstrations(path)
            except DemonstrationError:
                path.unlink()  # its last bytes were lost with the machine; it is played again
                continue
            with demos:
                _check_settings(self.output, demos.header, self.header)
                kept[path.stem] = path
        if self.output.exists():
            with Demonstrations(self.output) as demos:
                _check_settings(self.output, demos.header, self.header)
                kept |= dict.fromkeys(demos.keys, self.output)
                failed |= demos.failed
        return kept, failed

    @property
    def pending(self) -> bool:
        """Whether there are parts that are not yet in the file."""
        return any(path.suffix in {_KEPT, _FAILED} for path in self.folder.iterdir())

    def keep(self, demo: Demonstration) -> None:
        """Keep a demonstration."""
        key = demo.episode.key
        path = self.folder / f"{key}{_KEPT}"
        with Writer(path, self.header) as part:
            part.add(demo)
        self.kept[key] = path

    def fail(self, key: str) -> None:
        """Record an episode that is not kept."""
        (self.folder / f"{key}{_FAILED}").touch()
        self.failed.add(key)

    def assemble(self, order: Mapping[str, int]) -> None:
        """Write the file, and delete the parts.

        Args:
            order: Position of each episode by its key, so that the file does not depend on the order of play.
        """
        new = self.folder / ".whole"  # deleted by the next process, should this one be killed
        keys = sorted(self.kept, key=lambda key: order.get(key, len(order)))
        before = Demonstrations(self.output) if self.output in self.kept.values() else None
        try:
            places = {key: number for number, key in enumerate(before.keys)} if before else {}
            with Writer(new, self.header) as whole:
                for key in keys:
                    if before and key in places:
                        whole.copy(before, places[key])
                        continue
                    with Demonstrations(self.kept[key]) as part:
                        whole.copy(part, 0)
                for key in self.failed:
                    whole.fail(key)
            new.replace(self.output)
        finally:
            if before:
                before.close()
        shutil.rmtree(self.folder)

    def close(self) -> None:
        """Release the lock; an empty folder is deleted."""
        self._folder.close()


class Blocks:
    """Blocks of demonstrations of one file, each in a file of its own until all are there."""

    def __init__(self, output: Path, header: Header, blocks: Sequence[range]) -> None:
        """Begin a file, or continue one, from the blocks of a killed process.

        Args:
            output: The file.
            header: Header of it and of each block.
            blocks: Numbers of the demonstrations of each block, in the order of the file.

        Raises:
            DemonstrationError: it was begun or written with other settings, is damaged, cannot be written, or
                another process is writing it.
        """
        self._output, self._header = output, header
        self._folder = _Folder(output)
        self._paths = [self._folder.path / f"{numbers.start}{_KEPT}" for numbers in blocks]
        try:
            self._done = output.exists()
            there = [output] if self._done else [path for path in self._paths if path.exists()]
            found = {path for path in there if self._whole(path)}
        except DemonstrationError:
            self.close()
            raise
        self.missing = [
            (path, numbers)
            for path, numbers in zip(self._paths, blocks, strict=True)
            if not self._done and path not in found
        ]
        """File to write and demonstrations of each block that is not there yet."""

    def _whole(self, path: Path) -> bool:
        """Whether a file is one; raises an error for one of other settings."""
        try:
            demos = Demonstrations(path)
        except DemonstrationError:
            if path == self._output:
                raise
            path.unlink()  # its last bytes were lost with the machine; it is drawn again
            return False
        with demos:
            _check_settings(self._output, demos.header, self._header)
        return True

    def assemble(self) -> None:
        """Write the file of all blocks, and delete them; nothing is done where it is there."""
        if self._done:
            return
        with Writer(self._output, self._header) as whole:
            for path in self._paths:
                with Demonstrations(path) as block:
                    for number in range(len(block)):
                        whole.copy(block, number)
        self._done = True
        shutil.rmtree(self._folder.path)

    def close(self) -> None:
        """Release the lock; an empty folder is deleted."""
        self._folder.close()


class _Folder:
    """The folder of a file's parts, which one process has at a time."""

    def __init__(self, output: Path) -> None:
        self.path = output.with_name(output.name + ".parts")
        self._lock = -1
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path, os.O_RDONLY)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise DemonstrationError(
                f"{output}: another process is writing it; wait for it to end."
            ) from None
        except OSError as error:
            raise DemonstrationError(f"{output}: cannot be written: {error.strerror}.") from None

    def close(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        if self.path.exists() and not any(self.path.iterdir()):
            self.path.rmdir()


def _check_settings(output: Path, found: Header, wanted: Header) -> None:
    check_alike(output, found, wanted)
    theirs, ours = _flat(found.settings), _flat(wanted.settings)
    for name in sorted(theirs.keys() | ours.keys()):
        if theirs.get(name) != ours.get(name):
            raise DemonstrationError(
                f"{output}: begun with {name} {theirs.get(name)!r}, now it is {ours.get(name)!r}; "
                "give the same options, or another --output."
            )


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by names with dots."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found

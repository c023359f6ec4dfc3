"""Files that appear whole or not at all, even where the disk is full or a process is killed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give the name of a file beside `path`, which takes its place when the `with` statement ends.

    The file has the suffix of `path`, because some writers go by it. After an error it is removed, and what
    was at `path` before is intact. Several processes may write one file: the last one counts.

    Raises:
        OSError: the file cannot be written.
    """
    beside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield beside
        # Some file systems put the new name on the disk first: a power failure would leave an empty file.
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)

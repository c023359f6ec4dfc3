"""Files that appear whole or not at all, even where the disk is full or a process is killed."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STEM = 60
"""Characters of a name that stand in that of the file beside it: names have at most 255 bytes."""


@contextmanager
def atomic_write(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give the name of a file beside `path`, which takes its place when the `with` statement ends.

    The file has the suffix of `path`, because some writers go by it, and a name that nobody can have guessed.
    After an error it is removed, what was at `path` before is intact, and the error says so. Several
    processes may write one file: the last one counts. Of a link, the file that it leads to is replaced. What
    is no regular file, such as a pipe or a device, is written through.

    Args:
        path: The file.
        durable: Whether to wait until it is on the disk, so that a power failure leaves no empty file. What
            can be computed again need not wait.

    Raises:
        OSError: the file cannot be written.
    """
    try:
        state = path.stat()
    except FileNotFoundError:
        state = None
    try:
        if state and not (stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode)):
            with _through(path) as beside:
                yield beside
        else:
            with _in_place_of(Path(os.path.realpath(path)), state, durable=durable) as beside:
                yield beside
    except OSError as error:
        if state and error.strerror and stat.S_ISREG(state.st_mode):
            error.strerror += "; the file that was there is intact"
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8 as `atomic_write` does.

    Raises:
        OSError: the file cannot be written.
    """
    with atomic_write(path) as beside:
        beside.write_text(text, encoding="utf-8")


@contextmanager
def _in_place_of(path: Path, state: os.stat_result | None, *, durable: bool) -> Iterator[Path]:
    beside = path.with_name(f".{path.stem[:_STEM]}.{secrets.token_hex(8)}{path.suffix[-_STEM:]}")
    # Exclusive: no file or link of others is written to. The mode is that of the old file, or the usual one.
    number = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        try:
            if state:
                os.fchmod(number, stat.S_IMODE(state.st_mode))
        finally:
            os.close(number)
        yield beside
        # Some file systems put the new name on the disk first: a power failure would leave an empty file.
        if durable:
            with beside.open("rb") as file:
                os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _through(path: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rtbench-") as folder:
        beside = Path(folder, f"file{path.suffix}")
        yield beside
        with beside.open("rb") as file, path.open("wb") as target:
            shutil.copyfileobj(file, target)

"""The folder of what is made once and kept: the baked robot, the language encoder, known sentences."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs

from rtbench.core.errors import RtbenchError

VARIABLE = "RTBENCH_CACHE"


class CacheError(RtbenchError):
    """A cache that cannot be read or written."""


def cache_folder() -> Path:
    """RTBENCH_CACHE where that is set, else rtbench's folder in the user's cache; it need not exist."""
    return Path(os.environ.get(VARIABLE) or platformdirs.user_cache_dir("rtbench"))


def kept_folder(name: str, fill: Callable[[Path], None], *, file: str, what: str) -> Path:
    """A folder of the cache; it is filled when it is not there yet, once where several processes ask.

    Args:
        name: Its name; must change with all that its content depends on.
        fill: Writes all files into an empty folder.
        file: The file in it that will be read.
        what: What it holds, for messages.

    Raises:
        CacheError: the cache cannot be read or written.
    """
    folder = cache_folder() / name
    if os.access(folder / file, os.R_OK):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(folder.parent):
            if not os.access(folder / file, os.R_OK):
                _fill(folder, fill, file)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CacheError(
            f"{folder}: {what} cannot be kept there ({reason})."
            f" Set {VARIABLE} to a folder that you can read and write."
        ) from error
    return folder


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Holds a lock on the folder, so that workers that start together do not all do the same."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems have no locks; then each one does it
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _fill(folder: Path, fill: Callable[[Path], None], file: str) -> None:
    """Writes beside the target and renames, so that no process ever meets half a folder.

    The folder has the permissions of the umask, for a cache may be shared: `tempfile` makes private ones.
    """
    scratch = folder.parent / f"{folder.name.partition('-')[0]}-{uuid.uuid4().hex}"
    scratch.mkdir()
    try:
        fill(scratch)
        scratch.rename(folder)
    except OSError:
        # Without locks another worker may have been first: its copy is as good.
        if not os.access(folder / file, os.R_OK):
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)

"""Looks at an HDF5 file from elsewhere in a process of its own, which a time limit ends.

The library's C code can run for ever, or crash, on a file that was made for it, and nothing within one
process can stop it.
"""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from pathlib import Path

LIMIT_S = 60.0
"""Seconds that opening a file and walking through its structure may take; 45,000 frames take 0.6 s."""
_WALK = """
import sys
import h5py
with h5py.File(sys.argv[1], "r") as file:
    list(file.attrs.items())  # which the walk leaves out
    file.visititems(lambda name, found: list(found.attrs.items()) and None)
"""


class ProbeError(Exception):
    """A file that cannot be read in time, or that makes the library crash; the text says which."""


def probe(path: Path, limit_s: float = LIMIT_S) -> None:
    """Open a file and walk through its structure, in another process.

    What Python can say of a damaged file is left to the reader, which says it better.

    Raises:
        ProbeError: it takes longer than the limit [s], or the process crashes.
    """
    try:
        state = path.stat()
    except OSError:
        return
    _probed(str(path.absolute()), state.st_size, state.st_mtime_ns, limit_s)


@lru_cache(maxsize=256)
def _probed(path: str, _size: int, _time: int, limit_s: float) -> None:
    """Once for each content of a file."""
    line = [sys.executable, "-I", "-c", _WALK, path]
    try:
        done = subprocess.run(line, check=False, timeout=limit_s, capture_output=True)
    except subprocess.TimeoutExpired:
        raise ProbeError(f"its structure cannot be read within {limit_s:g} s; it is damaged") from None
    if done.returncode < 0:
        raise ProbeError(f"the HDF5 library crashes on it (signal {-done.returncode}); it is damaged")

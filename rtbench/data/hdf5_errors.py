"""What HDF5 says when a file cannot be written, as an error in a sentence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtbench.core.errors import RtbenchError


@contextmanager
def writing(path: Path, kind: type[RtbenchError]) -> Iterator[None]:
    """Raise an error of a kind, which names the file, in place of those of h5py."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number else str(error).rstrip(".")
        raise kind(
            f"{path}: cannot be written: {reason}. Choose another place, or free some space."
        ) from None

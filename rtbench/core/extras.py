"""Extras of rtbench: packages that only some commands need."""

from __future__ import annotations

import importlib.util

from rtbench.core.errors import MissingExtraError

EXTRAS = {
    "paligemma": ("torch", "transformers"),
    "parquet": ("imageio_ffmpeg", "pyarrow"),
    "ray": ("ray",),
    "remote": ("msgpack", "websockets", "zmq"),
    "rt2": ("torch",),
    "train": ("accelerate", "tensorboard", "torch"),
    "video": ("imageio_ffmpeg",),
}
"""Extra -> modules that it brings."""


def require(extra: str, what: str) -> None:
    """Make sure that an extra is installed, before what needs it is imported.

    Raises:
        MissingExtraError: it is not; says what needs it and how to install it.
    """
    missing = [name for name in EXTRAS[extra] if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"{what} needs {', '.join(missing)}; run: pip install 'rtbench[{extra}]'.")

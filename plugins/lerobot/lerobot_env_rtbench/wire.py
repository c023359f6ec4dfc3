"""Messages between LeRobot's process and rtbench's: a line of JSON, then the bytes of the arrays in it.

Two interpreters may differ in Python and NumPy, so nothing is pickled.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO

import numpy as np


def send(pipe: BinaryIO, message: dict[str, Any], arrays: dict[str, np.ndarray] | None = None) -> None:
    """Write a message, and arrays by name."""
    arrays = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
    told = {name: [array.dtype.str, list(array.shape)] for name, array in arrays.items()}
    pipe.write(json.dumps({**message, "arrays": told}).encode() + b"\n")
    pipe.writelines(array.tobytes() for array in arrays.values())
    pipe.flush()


def receive(pipe: BinaryIO) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read a message and its arrays.

    Raises:
        EOFError: the other process is gone.
    """
    line = pipe.readline()
    if not line.endswith(b"\n"):
        raise EOFError("the other process is gone")
    message = json.loads(line)
    arrays = {}
    for name, (dtype, shape) in message.pop("arrays").items():
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        data = pipe.read(size)
        if len(data) < size:
            raise EOFError("the other process is gone")
        arrays[name] = np.frombuffer(bytearray(data), dtype=dtype).reshape(shape)
    return message, arrays

"""msgpack with arrays, as openpi and RoboArena write it.

rtbench has a reader of its own, with more limits and forms. This one installs with any NumPy and Python 3.9.
"""

from __future__ import annotations

import math
import re
from typing import Any

import msgpack
import numpy as np

MOST_BYTES = 32 * 2**20
"""Bytes of a message at most."""
_DTYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248])")


class MessageError(ValueError):
    """A message that cannot be read; says what came and what was expected."""


def pack(message: Any) -> bytes:
    """A message of maps, lists, texts, numbers and numeric arrays as msgpack."""

    def plain(value: Any) -> Any:
        if isinstance(value, np.generic):
            return value.item()
        array = np.ascontiguousarray(value)
        if array.dtype.kind not in "biuf":
            raise MessageError(f"a message holds {type(value).__name__}; send numbers.")
        shape = list(np.shape(value))
        parts = {"__ndarray__": True, "data": array.tobytes(), "dtype": array.dtype.str, "shape": shape}
        return {name.encode(): part for name, part in parts.items()}

    return msgpack.packb(message, default=plain)


def unpack(data: bytes) -> Any:
    """What a message holds; arrays are read-only.

    Raises:
        MessageError: no msgpack, too large, or an array that is none of numbers.
    """
    if len(data) > MOST_BYTES:
        raise MessageError(f"a message has {len(data)} bytes; at most {MOST_BYTES} are read.")
    try:
        return msgpack.unpackb(data, object_hook=_map, strict_map_key=True, max_ext_len=0)
    except MessageError:
        raise
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise MessageError(f"a message is no msgpack that can be read ({type(error).__name__}).") from None


def _map(found: dict) -> Any:
    told = {key.decode("latin-1") if isinstance(key, bytes) else key: value for key, value in found.items()}
    if told.get("__ndarray__") is not True:
        return told.get("data") if told.get("__npgeneric__") is True else told
    dtype, shape, data = told.get("dtype"), told.get("shape"), told.get("data")
    if not isinstance(dtype, str) or not _DTYPE.fullmatch(dtype):
        raise MessageError(f"an array has dtype {str(dtype)[:40]!r}; expected numbers.")
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape) or len(shape) > 16:
        raise MessageError(f"an array has shape {str(shape)[:40]}; expected whole numbers.")
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if not isinstance(data, bytes) or len(data) != size:
        raise MessageError(f"an array {dtype} of shape {shape} came without its {size} bytes.")
    return np.frombuffer(data, dtype=dtype).reshape(shape)

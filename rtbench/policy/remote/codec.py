"""msgpack with arrays, as servers of policies write it; what a stranger sends is read without trust.

An array is a map with its bytes, dtype and shape. openpi and RoboArena write the keys as bytes, vla-eval as
text, and GR00T puts the bytes of a `.npy` file in their place. All are read. Only numbers and truth values
pass: nothing is unpickled, no NaN, and no array whose size is not that of its shape.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtbench.core.errors import PolicyError
from rtbench.core.extras import require

MOST_BYTES = 32 * 2**20
"""Bytes of a message at most: two messages are in memory while one is read."""
MOST_ENTRIES = 100_000
"""Entries of all lists and maps of a message; a float64 chunk is one array, not a list."""
MOST_DEPTH = 16
"""Axes of an array."""
_BEFORE = 41
"""Bytes of a PNG before its picture, where that is its second part."""
MOST_PIXELS = 4096 * 4096
"""Pixels of an image."""
_IEND = b"\0\0\0\0IEND\xaeB`\x82"
_DTYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248])")
_NUMPY_HEADER = b"\x93NUMPY"
_NPY_START = 10
"""Bytes of a `.npy` file before its header."""
_NPY_HEAD = re.compile(
    rb"\{'descr': '([<>|=]?\w{2,3})', 'fortran_order': (True|False), 'shape': \(([\d, ]{0,300})\), ?\} *\n?"
)


class WireError(PolicyError):
    """A message that does not keep the protocol; says what came and what was expected."""


def pack(message: Any, *, keys: Callable[[str], Any] = str.encode) -> bytes:
    """A message as msgpack.

    Args:
        message: Maps, lists, texts, numbers and arrays of kinds b, i, u and f.
        keys: What an array's keys are written as: `str.encode` for bytes (openpi, RoboArena), `str` for text
            (vla-eval).
    """
    import msgpack

    def plain(value: Any) -> Any:
        if isinstance(value, np.generic):
            return value.item()
        array = np.ascontiguousarray(value)
        if array.dtype.kind not in "biuf":
            raise WireError(f"a message holds {type(value).__name__} of dtype {array.dtype}; send numbers.")
        shape = list(np.shape(value))
        parts = {"__ndarray__": True, "data": array.tobytes(), "dtype": array.dtype.str, "shape": shape}
        return {keys(name): part for name, part in parts.items()}

    packed: bytes = msgpack.packb(message, default=plain)
    return packed


def pack_npy(message: Any) -> bytes:
    """A message as msgpack with arrays in GR00T's form."""
    import msgpack

    def plain(value: Any) -> Any:
        if isinstance(value, np.generic):
            return value.item()
        if np.asarray(value).dtype.kind not in "biuf":
            raise WireError(f"a message holds {type(value).__name__}; send numbers.")
        return {"__ndarray_class__": True, "as_npy": _to_npy(value)}

    packed: bytes = msgpack.packb(message, default=plain)
    return packed


def unpack(data: bytes) -> Any:
    """What a message holds; arrays are read-only.

    Raises:
        WireError: no msgpack, too large, or an array that cannot be trusted.
        MissingExtraError: msgpack is not installed.
    """
    require("remote", "talking to a server of policies")
    import msgpack

    if len(data) > MOST_BYTES:
        raise WireError(f"a message has {len(data)} bytes; at most {MOST_BYTES} are read.")
    reader = _Reader()
    try:
        return msgpack.unpackb(
            data,
            object_hook=reader.read_map,
            list_hook=reader.read_list,
            strict_map_key=True,
            max_bin_len=MOST_BYTES,
            max_str_len=MOST_BYTES,
            max_array_len=MOST_ENTRIES,
            max_map_len=MOST_ENTRIES,
            max_ext_len=0,
        )
    except WireError:
        raise
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise WireError(f"a message is no msgpack that can be read ({reason}).") from None


class _Reader:
    """Makes maps of one message into arrays where they stand for some, and counts what it reads.

    The count bounds memory: 32 MiB of empty maps would be 2 GiB of Python's.
    """

    def __init__(self) -> None:
        self._entries = 0

    def read_list(self, found: list[Any]) -> list[Any]:
        self._count(len(found))
        return found

    def read_map(self, found: dict[Any, Any]) -> Any:
        self._count(len(found))
        told = {key.decode("latin-1") if isinstance(key, bytes) else key: v for key, v in found.items()}
        if told.get("__ndarray__") is True:
            return _array(told)
        if told.get("__npgeneric__") is True:
            return _scalar(told.get("data"))
        if told.get("__ndarray_class__") is True:
            return _npy(told.get("as_npy"))
        if told.get("__image__") is True:
            return read_image(told.get("data"), str(told.get("format", "png")), told)
        return told

    def _count(self, entries: int) -> None:
        self._entries += entries + 1
        if self._entries > MOST_ENTRIES:
            raise WireError(f"a message has more than {MOST_ENTRIES} entries in lists and maps.")


def read_image(data: Any, form: str, told: dict[str, Any] | None = None) -> NDArray[np.uint8]:
    """The image uint8[H, W, C] of PNG or JPEG bytes, or of raw ones with a shape.

    Raises:
        WireError: another format, broken bytes, or too many pixels.
    """
    if form == "raw":
        return _array({"dtype": "|u1", **(told or {})})
    if not isinstance(data, bytes) or form.lower() not in ("png", "jpeg", "jpg"):
        raise WireError(f"an image is {form!r} in {type(data).__name__}; expected png or jpeg in bytes.")
    from PIL import Image

    if (plain := _plain_png(data)) is not None:
        return plain
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG"]) as image:
            if image.width * image.height > MOST_PIXELS:
                raise WireError(f"an image has {image.width} x {image.height} pixels; that is too large.")
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise WireError(f"an image cannot be read: {type(error).__name__}.") from None


def _plain_png(data: bytes) -> NDArray[np.uint8] | None:
    """The image of a PNG of eight bits RGB without filters, as one that is not compressed has it; else None.

    That is a third of the imaging library's time, which reads all others and says what is wrong with them.
    """
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[8:16] != b"\0\0\0\x0dIHDR" or len(data) < _BEFORE + 16:
        return None
    width, height, *kind = struct.unpack(">IIBBBBB", data[16:29])
    (size,) = struct.unpack(">I", data[33:37])
    body = memoryview(data)[_BEFORE : _BEFORE + size]
    behind = data[_BEFORE + size :]
    row = 1 + 3 * width
    if kind != [8, 2, 0, 0, 0] or data[37:41] != b"IDAT" or behind[4:] != _IEND:
        return None
    if not 0 < width * height <= MOST_PIXELS or zlib.crc32(body, zlib.crc32(b"IDAT")) != _number(behind[:4]):
        return None
    try:
        unpacker = zlib.decompressobj()
        rows = np.frombuffer(unpacker.decompress(body, height * row + 1), dtype=np.uint8)
    except zlib.error:
        return None
    if rows.size != height * row or not unpacker.eof or rows[::row].any():
        return None
    return rows.reshape(height, row)[:, 1:].reshape(height, width, 3)


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def check_finite(array: NDArray[Any], what: str) -> None:
    """Refuse NaN and infinity."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise WireError(f"{what} holds NaN or infinity; expected numbers.")


def _array(told: dict[str, Any]) -> NDArray[Any]:
    dtype, shape, data = told.get("dtype"), told.get("shape"), told.get("data")
    dtype = dtype.decode("latin-1") if isinstance(dtype, bytes) else dtype
    if not isinstance(dtype, str) or not _DTYPE.fullmatch(dtype):
        raise WireError(f"an array has dtype {str(dtype)[:40]!r}; expected numbers or truth values.")
    whole = isinstance(shape, list | tuple) and all(type(n) is int and n >= 0 for n in shape)
    if not whole or len(shape) > MOST_DEPTH:  # type: ignore[arg-type]  # whole says that it is a list
        raise WireError(f"an array has shape {str(shape)[:40]}; expected whole numbers.")
    size = math.prod(shape) * np.dtype(dtype).itemsize  # type: ignore[arg-type]
    if not isinstance(data, bytes) or len(data) != size:
        came = f"{len(data)} bytes" if isinstance(data, bytes) else type(data).__name__
        raise WireError(f"an array {dtype} of shape {tuple(shape)} came with {came}; expected {size} bytes.")  # type: ignore[arg-type]
    array = np.frombuffer(data, dtype=dtype).reshape(shape)
    check_finite(array, f"an array of shape {array.shape}")
    return array


def _to_npy(value: Any) -> bytes:
    """A `.npy` file of version 1.0; NumPy's own writer takes ten times as long."""
    array = np.ascontiguousarray(value)
    shape = repr(tuple(np.shape(value)))
    head = f"{{'descr': {array.dtype.str!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(_NPY_START + len(head) + 1) % 64) + b"\n"
    return b"".join([_NUMPY_HEADER, b"\x01\x00", struct.pack("<H", len(head)), head, array.tobytes()])


def _npy(data: Any) -> NDArray[Any]:
    """The array of a `.npy` file; an object array would be a pickle, which is refused.

    NumPy's reader gives the header to Python's tokenizer and parser; here nothing but numbers can be in it.
    """
    if not isinstance(data, bytes) or not data.startswith(_NUMPY_HEADER) or len(data) < _NPY_START:
        raise WireError("an array is no .npy file.")
    if data[6:8] != b"\x01\x00":
        raise WireError(f"an array is a .npy file of version {data[6]}.{data[7]}; expected 1.0.")
    (size,) = struct.unpack_from("<H", data, 8)
    head = data[_NPY_START : _NPY_START + size]
    told = _NPY_HEAD.fullmatch(head)
    if len(head) != size or told is None:
        raise WireError(f"an array is a .npy file with the header {head[:80]!r}; expected numbers.")
    dtype, fortran, numbers = (part.decode() for part in told.groups())
    shape = [int(number) for number in numbers.replace(",", " ").split()]
    array = _array({"dtype": dtype, "shape": shape[::-1] if fortran == "True" else shape,
                    "data": data[_NPY_START + size :]})  # fmt: skip
    return array.T if fortran == "True" else array


def _scalar(value: Any) -> Any:
    if not isinstance(value, bool | int | float) or not math.isfinite(value):
        raise WireError(f"a number is {str(value)[:40]!r}; expected one.")
    return value

"""TFRecord files of `tf.train.Example`, written without TensorFlow.

A record is its length (uint64, little-endian), the length's checksum, its bytes, and their checksum
("TFRecord and tf.train.Example", tensorflow.org/tutorials/load_data/tfrecord). A checksum is CRC-32C
(Castagnoli, RFC 3720 appendix B.4), rotated right by 15 bits, plus 0xa282ead8.

An Example is a message of protocol buffers: field 1 holds Features, whose field 1 is a map from names to
Feature; of this, field 1 is a list of bytes, 2 of floats, 3 of int64, and each list's values are its field 1.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

Values = Sequence[bytes] | NDArray[np.float32] | NDArray[np.int64]
"""What a feature holds: bytes, float32[n] or int64[n]."""
_POLYNOMIAL = 0x82F63B78
"""Of CRC-32C, its bits reversed."""
_MASK = 0xA282EAD8
_LANE = 256
"""Bytes of a lane: a megabyte has 4,096 lanes, which NumPy takes at once."""
_LENGTH_DELIMITED, _VARINT_BITS = 2, 7


def write_record(file: BinaryIO, data: bytes) -> None:
    """Append a record."""
    length = struct.pack("<Q", len(data))
    file.write(length + struct.pack("<I", masked(crc32c(length))))
    file.write(data)
    file.write(struct.pack("<I", masked(crc32c(data))))


def example(features: Mapping[str, Values]) -> bytes:
    """A `tf.train.Example` as bytes, its features in the order of their names."""
    entries = []
    for name in sorted(features):
        entry = _field(1, name.encode()) + _field(2, _feature(features[name]))
        entries.append(_field(1, entry))
    return _field(1, b"".join(entries))


def masked(checksum: int) -> int:
    """A checksum as TFRecord stores it, uint32."""
    rotated = (checksum >> 15) | (checksum << 17)
    return (rotated + _MASK) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """CRC-32C of some bytes, uint32.

    The register is linear in what it is given, so lanes of equal length are run side by side, and joined in
    pairs: a lane's register is moved on by the length of the lane behind it, and added to that one's.
    """
    lanes = 1 << max(0, (len(data) - 1) // _LANE).bit_length()
    length = -(-len(data) // lanes)
    # Zeros in front change nothing while the register is zero; its true first value is moved in afterwards.
    padded = np.zeros(lanes * length, dtype=np.uint8)
    padded[padded.size - len(data) :] = np.frombuffer(data, dtype=np.uint8)
    register = np.zeros(lanes, dtype=np.uint32)
    for column in padded.reshape(lanes, length).T:
        register = _TABLE[(register ^ column) & 0xFF] ^ (register >> 8)
    while len(register) > 1:
        register = _apply(_zeros(length), register[0::2]) ^ register[1::2]
        length *= 2
    first = _apply(_zeros(len(data)), np.array([0xFFFFFFFF], dtype=np.uint32))
    return int(register[0] ^ first[0]) ^ 0xFFFFFFFF


def _table() -> NDArray[np.uint32]:
    """uint32[256]: what a byte does to an empty register."""
    found: NDArray[np.uint32] = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        odd = np.where(found & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
        found = ((found >> 1) ^ odd).astype(np.uint32)
    return found


_TABLE = _table()
Operator = NDArray[np.uint32]
"""A linear map of registers, uint32[32]: what it makes of each single bit."""


def _apply(operator: Operator, registers: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """uint32[n]: each register mapped."""
    found = np.zeros_like(registers)
    for bit, column in enumerate(operator):
        found ^= np.where(registers >> bit & 1, column, np.uint32(0))
    return found


def _zeros(count: int) -> Operator:
    """The map of `count` zero bytes."""
    bits: Operator = np.uint32(1) << np.arange(32, dtype=np.uint32)
    found, step = bits, _TABLE[bits & 0xFF] ^ (bits >> 8)
    while count:
        if count & 1:
            found = _apply(step, found)
        step = _apply(step, step)
        count >>= 1
    return found


def _feature(values: Values) -> bytes:
    if not isinstance(values, np.ndarray):
        return _field(1, b"".join(_field(1, value) for value in values))
    if values.dtype.kind == "f":
        return _field(2, _field(1, values.astype("<f4").tobytes()))
    return _field(3, _field(1, b"".join(_varint(int(value)) for value in values)))


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    """A whole number, 7 bits a byte, the lowest first; a negative one as its 64-bit complement."""
    value &= 0xFFFFFFFFFFFFFFFF
    found = bytearray()
    while value >= 1 << _VARINT_BITS:
        found.append(value & 0x7F | 0x80)
        value >>= _VARINT_BITS
    found.append(value)
    return bytes(found)

"""Writes models in ONNX's format, of the few kinds of parts that RT-1 has.

The package onnx does this too: it takes 31 MB, and asks for an ml_dtypes that asks for numpy 2. What is
written here is protocol buffers' wire format, with the numbers of fields of onnx.proto3.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

OPSET = 20
"""Version of the operators: the first with `Gelu`."""
IR_VERSION = 9
"""Of the format; the one that belongs to that version of the operators."""
_TYPES = {np.dtype(np.float32): 1, np.dtype(np.int64): 7}
"""ONNX's number of an array's dtype."""
_FLOAT, _INT, _STRING, _INTS = 1, 2, 3, 7
"""ONNX's numbers of the types of attributes."""

Value = str
"""Name of what a node or a constant gives."""


class Graph:
    """A graph, to which nodes are added in the order in which they run."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._count = 0

    def input(self, name: str, shape: Sequence[int | str]) -> Value:
        """An input of float32 numbers; an axis that may have any length has a name."""
        self._parts.append(_message(11, _value_info(name, shape)))
        return name

    def output(self, value: Value, shape: Sequence[int | str]) -> None:
        """Make a value an output of float32 numbers."""
        self._parts.append(_message(12, _value_info(value, shape)))

    def constant(self, array: NDArray[Any] | Sequence[int]) -> Value:
        """A constant: float32, or int64 of whole numbers."""
        found = np.asarray(array)
        found = np.ascontiguousarray(found, np.int64 if found.dtype.kind == "i" else np.float32)
        name = self._name("constant")
        tensor = b"".join(_number(1, side) for side in np.shape(array))
        tensor += _number(2, _TYPES[found.dtype]) + _message(8, name.encode()) + _message(9, found.tobytes())
        self._parts.append(_message(5, tensor))
        return name

    def node(self, kind: str, *inputs: Value, name: str = "", **attributes: Any) -> Value:
        """Add a node of one output; see `nodes`."""
        return self.nodes(kind, *inputs, names=(name,), **attributes)[0]

    def nodes(
        self, kind: str, *inputs: Value, names: Sequence[str] = (), count: int = 1, **attributes: Any
    ) -> list[Value]:
        """Add a node.

        Args:
            kind: Name of the operator.
            inputs: Values that go in; '' for one that is left out.
            names: Names of its outputs; '' for any.
            count: Outputs, where they have no names.
            attributes: The operator's attributes.

        Returns:
            Its outputs.
        """
        outputs = [name or self._name(kind) for name in (names or [""] * count)]
        body = b"".join(_message(1, value.encode()) for value in inputs)
        body += b"".join(_message(2, value.encode()) for value in outputs)
        body += _message(4, kind.encode())
        body += b"".join(_message(5, _attribute(key, value)) for key, value in attributes.items())
        self._parts.append(_message(1, body))
        return outputs

    def model(self) -> bytes:
        """The whole as a file's content."""
        graph = b"".join(self._parts) + _message(2, b"rt1")
        return _number(1, IR_VERSION) + _message(7, graph) + _message(8, _number(2, OPSET))

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind} {self._count}"


def _attribute(key: str, value: Any) -> bytes:
    body = _message(1, key.encode())
    if isinstance(value, float):
        return body + b"\x15" + struct.pack("<f", value) + _number(20, _FLOAT)
    if isinstance(value, int):
        return body + _number(3, value) + _number(20, _INT)
    if isinstance(value, str):
        return body + _message(4, value.encode()) + _number(20, _STRING)
    return body + b"".join(_number(8, each) for each in value) + _number(20, _INTS)


def _value_info(name: str, shape: Sequence[int | str]) -> bytes:
    axes = (_number(1, side) if isinstance(side, int) else _message(2, side.encode()) for side in shape)
    tensor = _number(1, _TYPES[np.dtype(np.float32)])
    tensor += _message(2, b"".join(_message(1, axis) for axis in axes))
    return _message(1, name.encode()) + _message(2, _message(1, tensor))


def _message(field: int, body: bytes) -> bytes:
    """A field of bytes: a text, numbers or another message."""
    return _varint(field << 3 | 2) + _varint(len(body)) + body


def _number(field: int, value: int) -> bytes:
    """A field that is a whole number; negative ones are written in two's complement of 64 bits."""
    return _varint(field << 3) + _varint(value & (2**64 - 1))


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)

"""Seeded random generators, named by what they draw, independent of process and order.

A stream is named by strings and integers, such as (suite, task, seed, "placement"). The same names give
the same numbers in any process, order or version of Python.
"""

from __future__ import annotations

import hashlib
import json
import operator

import numpy as np


def entropy(*names: str | int) -> int:
    """128 bits from the names, by SHA-256 over their JSON; a NumPy integer counts as the same number."""
    text = json.dumps([n if isinstance(n, str) else operator.index(n) for n in names])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def generator(*names: str | int) -> np.random.Generator:
    """A PCG64 generator for the stream of that name."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy(*names))))

"""Gymnasium's space of instructions: any text, which also passes whole through memory shared by processes.

`gymnasium.spaces.Text` needs a list of all characters, and `AsyncVectorEnv` reads its shared memory only
once, before the first reset, so that every instruction is blank. This subclass has shared memory of its own.
"""

from __future__ import annotations

import multiprocessing
import string
from typing import Any

import numpy as np
from gymnasium.spaces import Text
from gymnasium.vector.utils import create_shared_memory, read_from_shared_memory, write_to_shared_memory
from numpy.typing import NDArray

from rtbench.core.errors import RtbenchError

MAX_LENGTH = 400
"""Characters of an instruction at most."""


class InstructionSpace(Text):
    """Texts of any characters, of at most `MAX_LENGTH`; the empty one is a blank instruction.

    Samples are of ASCII letters, digits and blanks.
    """

    def __init__(self, seed: int | np.random.Generator | None = None) -> None:
        charset = string.ascii_letters + string.digits + " "
        super().__init__(MAX_LENGTH, min_length=0, charset=charset, seed=seed)

    def contains(self, x: object) -> bool:
        """Whether it is a text that is short enough."""
        return isinstance(x, str) and len(x) <= self.max_length

    def __repr__(self) -> str:
        return f"InstructionSpace(max_length={self.max_length})"


@create_shared_memory.register(InstructionSpace)
def _create(space: InstructionSpace, n: int = 1, ctx: Any = multiprocessing) -> Any:
    """Room for n texts of 32-bit characters."""
    return ctx.Array("i", n * space.max_length)


@read_from_shared_memory.register(InstructionSpace)
def _read(space: InstructionSpace, shared_memory: Any, n: int = 1) -> NDArray[np.str_]:
    """The texts str[n]: a view, which follows what is written later, as that of numbers does."""
    return np.frombuffer(shared_memory.get_obj(), dtype=f"U{space.max_length}", count=n)


@write_to_shared_memory.register(InstructionSpace)
def _write(space: InstructionSpace, index: int, value: str, shared_memory: Any) -> None:
    if len(value) > space.max_length:
        raise RtbenchError(
            f"an instruction has {len(value)} characters; memory shared with a vector environment holds "
            f"{space.max_length}. Shorten it, or make the environment with shared_memory=False."
        )
    np.frombuffer(shared_memory.get_obj(), dtype=f"U{space.max_length}")[index] = value

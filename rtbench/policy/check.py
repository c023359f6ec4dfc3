"""Checks of what a policy answers: tokens of the right shape, each within its bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import SIZE, Convention
from rtbench.core.errors import ActionError
from rtbench.core.fault import Fault
from rtbench.core.text import text_of

Rows = list[NDArray[np.int64] | Fault]


def check_tokens(tokens: Any, count: int, spec: Convention) -> Rows | Fault:
    """Each row of a policy's answer as tokens int64[11], or as the fault of its slot.

    A whole answer of the wrong kind or shape is one fault: no row of it can be trusted.
    """
    try:
        array = np.asarray(tokens)
    except Exception as error:  # noqa: BLE001 - `__array__` is the user's code
        return Fault("policy_output", f"act returned no array: {text_of(error)}.")
    if array.shape != (count, SIZE):
        got = f"shape {array.shape}" if array.ndim else type(tokens).__name__
        return Fault("policy_output", f"act returned {got}; expected ({count}, {SIZE}).")
    rows: Rows = []
    for row in array:
        try:
            rows.append(spec.check_tokens(row))
        except ActionError as error:
            rows.append(Fault("policy_output", str(error)))
    return rows

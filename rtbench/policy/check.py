"""Checks of what a policy answers: tokens of the right shape, each within its bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import SIZE, Convention
from rtbench.core.errors import ActionError
from rtbench.core.fault import Fault
from rtbench.core.stated_plan import Place, StatedPlan
from rtbench.core.text import text_of
from rtbench.policy.base import Planner, Policy

Rows = list[NDArray[np.int64] | Fault]
MOST_TEXT = 1000
"""Characters of a plan at most."""
MOST_PLACES = 16
"""Places of a plan at most."""


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


def stated_plans(policy: Policy, slots: Sequence[int]) -> list[StatedPlan | Fault | None]:
    """The plans that a policy's last actions followed, or the faults of their slots.

    None for a slot without a plan, and for all slots of a policy that states none.
    """
    if not isinstance(policy, Planner):
        return [None] * len(slots)
    return [check_plan(policy.stated_plan(slot)) for slot in slots]


def check_plan(plan: Any) -> StatedPlan | Fault | None:
    """The plan, if it is one that a record can hold."""
    if plan is None:
        return None
    if not isinstance(plan, StatedPlan):
        return Fault("policy_output", f"stated_plan returned {type(plan).__name__}; expected a StatedPlan.")
    if not isinstance(plan.text, str) or len(plan.text) > MOST_TEXT:
        return Fault("policy_output", f"stated_plan returned no text of at most {MOST_TEXT} characters.")
    if len(plan.places) > MOST_PLACES:
        reason = f"{len(plan.places)} places; at most {MOST_PLACES} are allowed."
        return Fault("policy_output", f"stated_plan returned {reason}")
    for place in plan.places:
        if not isinstance(place, Place) or not all(_is_share(value) for value in (place.x, place.y)):
            return Fault("policy_output", f"stated_plan returned the place {place}; x and y are from 0 to 1.")
    return plan


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1

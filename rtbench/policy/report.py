"""What a policy says of an episode that it has played."""

from __future__ import annotations

import json
from typing import Any


def episode_report(policy: Any, slot: int) -> dict[str, Any]:
    """What a policy's optional method `episode_report(slot)` gives, as plain values; else nothing.

    It is read once, when the slot's episode has ended. What JSON cannot hold is left out.
    """
    ask = getattr(policy, "episode_report", None)
    said = ask(slot) if callable(ask) else None
    if not isinstance(said, dict):
        return {}
    try:
        plain: dict[str, Any] = json.loads(json.dumps(said, allow_nan=False))
    except (TypeError, ValueError):
        return {}
    return plain

"""Reads quantities that users type with their unit: points of a rate, and durations."""

from __future__ import annotations

import re

from rtbench.core.errors import RtbenchError

_NUMBER = r"([0-9]{1,6}(?:\.[0-9]{1,9})?)"
"""Digits enough for every use; a longer number is a slip, and could be infinite."""
_POINTS = re.compile(rf"{_NUMBER} *(pp|%|)")
_DURATION = re.compile(rf"(?:{_NUMBER} *h)? *(?:{_NUMBER} *m(?:in)?)? *(?:{_NUMBER} *s)?")
_SECONDS = (3600, 60, 1)


class UnitError(RtbenchError):
    """A quantity that cannot be read, or is out of range."""


def points(text: str, option: str = "--margin") -> float:
    """A difference of rates: '5pp', '5%' and '0.05' are all 0.05.

    Args:
        text: What was typed.
        option: The option it was typed for, for the message.

    Raises:
        UnitError: not a number, negative, above 100 points, or 1 and more without a unit: 5 may mean
            5 points or 500.
    """
    found = _POINTS.fullmatch(text.strip())
    if not found:
        raise UnitError(f"{option} {text}: expected points from 0 to 100, such as {option} 5pp.")
    number, unit = float(found[1]), found[2]
    if not unit and number >= 1:
        raise UnitError(
            f"{option} {text}: has no unit; write {text.strip()}pp for points, or a share below 1."
        )
    share = number / 100 if unit else number
    if share > 1:
        raise UnitError(
            f"{option} {text}: rates differ by at most 100 points; give less, such as {option} 5pp."
        )
    return share


def duration(text: str, option: str = "--budget") -> float:
    """A length of time [s]: '90s', '15m' or '1h30m'.

    Args:
        text: What was typed.
        option: The option it was typed for, for the message.

    Raises:
        UnitError: not a duration, without a unit, or nothing at all.
    """
    found = _DURATION.fullmatch(text.strip())
    parts = found.groups() if found else ()
    if not any(parts):
        raise UnitError(f"{option} {text}: expected a duration with its unit, such as {option} 15m or 1h30m.")
    seconds = sum(unit * float(part) for unit, part in zip(_SECONDS, parts, strict=True) if part)
    if seconds <= 0:
        raise UnitError(f"{option} {text}: expected more than no time, such as {option} 15m.")
    return seconds

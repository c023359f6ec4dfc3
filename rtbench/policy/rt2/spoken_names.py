"""Names in the words of a plan: found, and hidden from who was never trained on them."""

from __future__ import annotations

import re
from collections.abc import Iterable

UNKNOWN = "thing"
"""What a thing is called whose name says nothing to RT-1."""

HANDLE_OF = "handle of the "
"""Before a drawer's name: the name of its handle."""


def pattern(names: Iterable[str]) -> re.Pattern[str]:
    """What finds names in a text, as whole words; of two at one place the longer one. None finds nothing."""
    longest_first = sorted(map(re.escape, names), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(longest_first) or '(?!)'})(?!\w)")


def hidden(text: str, names: re.Pattern[str]) -> str:
    """The text with `UNKNOWN` in place of names."""
    return names.sub(UNKNOWN, text)

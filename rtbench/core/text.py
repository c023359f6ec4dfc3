"""Numbers and strangers' objects as text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

_INVISIBLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
"""Control characters, marks that turn the direction of writing, other line breaks, and lone surrogates.
Joiners are not among them: Persian and Hindi are spelt with them."""
_RISKY = ("=", "+", "-", "@", "\t", "\r")
"""First characters of a text that a spreadsheet takes for a formula."""


def three_figures(value: float) -> str:
    """Three significant figures without a power of ten: 0.502, 17.4, 174 and 1070."""
    return f"{value:.0f}" if abs(value) >= 999.5 else f"{value:.3g}"  # '.3g' would write 1.07e+03


def text_of(value: object, show: Callable[[object], str] = str) -> str:
    """Text of a stranger's object, also where asking it for its text raises."""
    try:
        return show(value)
    except Exception as error:  # noqa: BLE001 - a user's `__str__` may raise anything
        return f"<a {type(value).__name__} whose text cannot be had: {type(error).__name__}>"


def storable(text: str, most: int) -> str:
    """The text as UTF-8 can hold it, of at most `most` characters: of a longer one the ends are kept."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    if len(text) <= most:
        return text
    middle = f" ... ({len(text)} characters in all) ... "
    half = (most - len(middle)) // 2
    return text[:half] + middle + text[-half:]


def visible(text: str, *, lines: bool = False) -> str:
    r"""The text with an escape such as `\x1b` for each character that would act instead of being shown.

    A terminal obeys such characters, and they make a text look like another one. Everything that strangers
    may have written (names, instructions, messages) goes through here on its way to a terminal or a document.

    Args:
        text: The text.
        lines: Keep line breaks and tabs, where a text has lines of its own.
    """
    return _INVISIBLE.sub(lambda found: found[0] if lines and found[0] in "\n\t" else _escape(found[0]), text)


def visible_value(value: object) -> object:
    """A text visible, with its lines; all else, and HTML that is made, as it is. For Jinja's `finalize`."""
    return visible(value, lines=True) if isinstance(value, str) and not hasattr(value, "__html__") else value


def visible_json(text: str) -> str:
    r"""JSON in which each of these characters is JSON's own escape: programs read the same as before."""
    return _INVISIBLE.sub(lambda found: found[0] if found[0] == "\n" else json.dumps(found[0])[1:-1], text)


def spreadsheet_text(text: str) -> str:
    """The visible text, with an apostrophe in front where a spreadsheet would run it as a formula."""
    return f"'{visible(text)}" if text.startswith(_RISKY) else visible(text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()

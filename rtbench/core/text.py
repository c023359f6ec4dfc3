"""Numbers and strangers' objects as text."""

from __future__ import annotations

from collections.abc import Callable


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

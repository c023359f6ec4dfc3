"""Fits the columns of a table into a terminal; words are broken only where there is no room for them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

EDGES = 2
"""Columns that rich leaves free left and right of a table with `box.SIMPLE_HEAD`."""
_PIECES = re.compile(r"[^/_\-:.,]*[/_\-:.,]?")
"""Parts of a name or path, each with the sign that ends it."""


def fit(natural: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Widths of columns that fit into a room, all in columns of the terminal.

    The widest column gives way first, but none below its least width, unless all of them have reached theirs.

    Args:
        natural: Widths with every cell in one line.
        least: Widths with every word in one line; each at most the natural one.
        room: Columns for all of them together.
    """
    widths = list(natural)
    while sum(widths) > room:
        wide = [k for k, width in enumerate(widths) if width > least[k]] or range(len(widths))
        widest = max(wide, key=lambda k: widths[k])
        if widths[widest] <= 1:
            break
        widths[widest] -= 1
    return widths


def room_for_names(names: Sequence[str], others: Sequence[int], width: int) -> tuple[int, int]:
    """Columns for the names of rows, and the gap between columns: 2 if all names have room, or else 1.

    Args:
        names: The names, in the first column.
        others: Widths of the other columns, which are kept.
        width: Columns of the terminal.
    """
    longest, kept = max(map(cell_len, names), default=1), sum(others) + EDGES
    gap = 2 if longest <= width - kept - 2 * len(others) else 1
    return min(longest, max(width - kept - gap * len(others), 1)), gap


def longest_word(text: str) -> int:
    """Columns of the longest word of a text; 0 of an empty one."""
    return max(map(cell_len, text.split()), default=0)


def break_words(text: str, width: int) -> str:
    """A text whose longer words are broken with a line feed: after a '/', '_' or the like if there is one.

    Args:
        text: Words, such as the id of a task, or a path.
        width: Columns that a word may have at most.
    """
    if longest_word(text) <= width:
        return text
    return " ".join("\n".join(_lines(word, width)) for word in text.split())


def _lines(word: str, width: int) -> list[str]:
    lines = [""]
    for found in _PIECES.findall(word):
        piece = found
        if cell_len(lines[-1] + piece) > width and lines[-1]:
            lines.append("")
        while cell_len(piece) > width:
            start = set_cell_size(piece, width).rstrip(" ") or piece[0]
            lines[-1], piece = start, piece[len(start) :]
            lines.append("")
        lines[-1] += piece
    return [line for line in lines if line]

"""Small HTML tables for notebooks, which show an object by its method `_repr_html_`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_RIGHT, _LEFT = 'style="text-align:right"', 'style="text-align:left"'


def html_table(
    title: str, head: Sequence[str], rows: Iterable[Sequence[str]], notes: Sequence[str] = ()
) -> str:
    """A table with its title above and notes below; all texts are escaped.

    Args:
        title: What it shows.
        head: Names of the columns; the first is to the left, the others to the right.
        rows: Texts of the cells.
        notes: A paragraph each.
    """
    top = _row("th", head)
    body = "".join(_row("td", row) for row in rows)
    below = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return f"<p><b>{escape(title)}</b></p><table><thead>{top}</thead><tbody>{body}</tbody></table>{below}"


def percent(share: float | None) -> str:
    """'97.5', or '-' where nothing was measured."""
    return "-" if share is None else f"{100 * share:.1f}"


def percent_range(low: float, high: float, *, sign: bool = False) -> str:
    """'87.1 to 99.6'; with a sign '-2.0 to +5.5'."""
    plus = "+" if sign else ""
    return f"{100 * low:{plus}.1f} to {100 * high:{plus}.1f}"


def _row(tag: str, cells: Sequence[str]) -> str:
    first, *rest = (escape(cell) for cell in cells)
    return (
        f"<tr><{tag} {_LEFT}>{first}</{tag}>"
        + "".join(f"<{tag} {_RIGHT}>{cell}</{tag}>" for cell in rest)
        + "</tr>"
    )

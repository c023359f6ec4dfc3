"""Text of a table's numbers, title, caption and remarks, the same in all formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rtbench.report.table.table import ALPHA, CONFIDENCE, MACRO, Cell, Column, Row, Table

RULES = {
    "success": "the goal is true at the end",
    "ever": "the goal was true at any time",
    "held": "the goal is true at the end and for one more second",
}
"""Description of a success, by the rule."""
NOTHING = "-"
"""Text of a cell without outcomes."""
_HEAD = 12
"""Letters of a line of a column's head at most."""
_LISTED = 6
"""Columns that are listed with a number each; of more, the extremes are."""


def percent(share: float | None) -> str:
    """A rate in %, one digit after the point."""
    return NOTHING if share is None else f"{100 * share:.1f}"


def interval(cell: Cell | None, dash: str = "-") -> str:
    """Both ends in %; '' where there is no rate."""
    if cell is None or cell.low is None or cell.high is None:
        return ""
    return f"{percent(cell.low)}{dash}{percent(cell.high)}"


def size(cell: Cell | None, column: int, table: Table) -> str:
    """Number of episodes of a cell, 'n=97, 3 err'; '' where the column's head gives it for all."""
    if cell is None or common_size(column, table) is not None or table.columns[column].name == MACRO:
        return ""
    return f"n={cell.n}" + (f", {cell.errors} err" if cell.errors else "")


def common_size(column: int, table: Table) -> int | None:
    """The number of episodes, where it is that of all policies and none is an error; else None."""
    cells = [row.cells[column] for row in table.rows]
    sizes = {(cell.n, cell.errors) for cell in cells if cell is not None}
    if len(sizes) != 1 or table.columns[column].name == MACRO:
        return None
    n, errors = sizes.pop()
    return None if errors else n


def speed(row: Row) -> tuple[str, str]:
    """The policy's rate [Hz], and 'met', 'not met' or '' for whether it is enough."""
    if row.hz is None:
        return NOTHING, ""
    words = {True: "met", False: "not met", None: ""}
    return (f"{row.hz:.1f}" if row.hz < 100 else f"{row.hz:.0f}"), words[row.met]


def head_lines(name: str) -> list[str]:
    """A column's name in lines; names of axes and tasks have no blanks, and are broken at their signs."""
    lines = [""]
    for piece in name.replace("/", "/ ").replace("_", "_ ").split(" "):
        if lines[-1] and len(lines[-1]) + len(piece) > _HEAD:
            lines.append("")
        lines[-1] += piece
    return lines


def title(table: Table) -> str:
    """One line."""
    splits = f", {' and '.join(table.options.splits)} episodes only" if table.options.splits else ""
    return f"Success in % by {table.options.by}{splits}"


def caption(table: Table, mark: str = "Bold") -> list[str]:
    """Explanation of the table's numbers, in sentences.

    Args:
        table: The table.
        mark: Name of the mark of the best in a column.
    """
    return [*_measured(table), *_tests(table, mark), *_rates(table), *_tasks(table), *_reruns(table)]


def remarks(table: Table) -> list[str]:
    """Remarks on published figures and on these runs, in sentences."""
    return [*_published(table), *table.notes]


def _measured(table: Table) -> Iterator[str]:
    yield (
        f"Success: {RULES[table.options.rule]}. Intervals: {100 * CONFIDENCE:.0f} %, Wilson's. "
        "n: episodes with an outcome; an error (err) is neither success nor failure."
    )
    yield (
        f"macro: mean of the rates of {table.skills} skills, its interval by Zou and Donner's method; "
        f"{NOTHING} without all of them."
    )


def _tests(table: Table, mark: str) -> Iterator[str]:
    references = [row.name for row in table.rows if row.reference]
    if references and not table.options.references:
        named = " and ".join(references) if len(references) < 3 else ", ".join(references)
        yield f"References, without letters: {named}."
    if not table.tested:
        yield "No letters: fewer than two policies can be compared."
        return
    yield (
        f"Letters: policies that share one within a column are not told apart by {_test(table.columns)}, "
        f"Holm over the pairs of the column, at {100 * ALPHA:.0f} %."
    )
    if any(cell.best for row in table.rows for cell in row.cells if cell):
        yield f"{mark}: not told apart from the highest rate, where any policy is."
    if least := _least(table.columns):
        yield f"Where the largest difference of a column is below {least} points, these n cannot show it."


def _test(columns: Sequence[Column]) -> str:
    paired, unpaired = sum(c.paired for c in columns), sum(c.unpaired for c in columns)
    if not unpaired:
        return "McNemar's exact test on shared episodes (paired)"
    if not paired:
        return "Fisher's exact test (unpaired, for they share no or few episodes)"
    return (
        "McNemar's exact test on shared episodes (paired), or Fisher's exact test where two share no or few "
        f"(unpaired; {unpaired} of {paired + unpaired} pairs)"
    )


def _least(columns: Sequence[Column]) -> str:
    """The least detectable difference of each column, in points."""
    known = {column.name: column.least for column in columns if column.least is not None}
    if len(known) > _LISTED:
        ends: list[Callable[..., str]] = [min, max]
        known = {name: known[name] for name in (end(known, key=lambda c: known[c]) for end in ends)}
        joint = " to "
    else:
        joint = ", "
    values = list(dict.fromkeys(f"{100 * least:.1f}" for least in known.values()))
    if len(values) < 2:
        return "".join(values)
    return joint.join(f"{100 * least:.1f} ({name})" for name, least in known.items())


def _rates(table: Table) -> Iterator[str]:
    rates = " or ".join(map(str, table.control_hz))
    told = (
        ", met or not: whether 99 % of the decisions fit into a control period"
        if any(row.met is not None for row in table.rows)
        else ""
    )
    yield f"Hz: decisions a second of the policy's own time (control rate {rates} Hz{told})."


def _tasks(table: Table) -> Iterator[str]:
    """Overall intervals for a claim about tasks like these, beside Wilson's, which are of these episodes."""
    found = [
        f"{row.name} {percent(row.by_task[0])}-{percent(row.by_task[1])} ({row.tasks} tasks)"
        for row in table.rows
        if row.by_task
    ]
    if found:
        told = "; ".join(found) if len(found) <= _LISTED else "in the JSON"
        yield f"Overall, clustered by task (Wilson's of the effective number of episodes): {told}."


def _reruns(table: Table) -> Iterator[str]:
    found = [f"{row.name} {row.reruns}" for row in table.rows if row.reruns]
    if found:
        told = "; ".join(found) if len(found) <= _LISTED else "in the JSON"
        yield f"Agreement of reruns: {told}."


def _published(table: Table) -> Iterator[str]:
    if table.options.published and not table.blocks:
        yield "No published figure is an honest counterpart of these columns."
    for block in table.blocks:
        yield f"{block.head}. {block.evaluation}."
        for name, reason in block.reasons.items():
            yield f"{block.source}, {name}: {reason}"

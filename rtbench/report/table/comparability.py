"""Comparability of policies in a table: which of them played the same episodes in the same settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtbench.analysis.pairing import check
from rtbench.core.errors import NotComparableError
from rtbench.report.table.row import Entrant

if TYPE_CHECKING:
    import pandas as pd

EVIDENCE = {"state": "settled states", "image": "first frames", "version": "tasks' versions"}
"""Columns that must be equal for the same episode, with their names in messages."""


@dataclass(frozen=True)
class Agreement:
    """Policies and episodes that may be compared."""

    comparable: NDArray[np.bool_]
    """bool[policies]."""
    usable: NDArray[np.bool_]
    """bool[episodes of all policies]."""
    notes: tuple[str, ...]
    """Reasons why others may not, in sentences."""


def agree(found: Sequence[Entrant], episodes: pd.DataFrame, *, allow_partial: bool) -> Agreement:
    """Compare each policy with what most of them played.

    Args:
        found: The policies.
        episodes: One row an episode and policy, with `row` (number of the policy), `episode`, and `EVIDENCE`.
        allow_partial: Leave out the episodes that differ, not the policy.

    Settings and versions must be those that most policies share (`rtbench.analysis.pairing.check`); the
    state that an episode began in, its first frame and its task's hash as well. On a tie the first decides.
    """
    comparable, notes = _alike(found, allow_partial=allow_partial)
    rows = episodes["row"].to_numpy()
    others = {name: _differs(episodes, comparable[rows], name) for name in EVIDENCE}
    usable = ~np.any(list(others.values()), axis=0)
    for row in np.unique(rows[comparable[rows] & ~usable]):
        mine = rows == row
        which = [words for name, words in EVIDENCE.items() if others[name][mine].any()]
        what = f"{' and '.join(which)} differ from the other policies' in {int((~usable & mine).sum())}"
        if allow_partial:
            notes.append(f"{found[row].name}: {what} of {int(mine.sum())} episodes, not compared.")
        else:
            remedy = "--allow-partial compares the rest"
            notes.append(f"{found[row].name}: no letters, for {what} episodes; {remedy}.")
            comparable[row] = False
    return Agreement(comparable, usable, tuple(notes))


def _alike(found: Sequence[Entrant], *, allow_partial: bool) -> tuple[NDArray[np.bool_], list[str]]:
    """Which policies are of the largest class whose run.json may be compared, and why the others are not."""
    classes: list[list[int]] = []
    notes: dict[str, None] = {}
    for i, entrant in enumerate(found):
        for members in classes:
            reason, remarks = _compare(found[members[0]], entrant, allow_partial=allow_partial)
            if not reason:
                members.append(i)
                notes |= dict.fromkeys(f"{entrant.name}: {remark}" for remark in remarks)
                break
        else:
            classes.append([i])
    # Python's max takes the first of several that are equal.
    common = max(classes, key=len)
    for members in classes:
        if members is not common:
            reason, _ = _compare(found[common[0]], found[members[0]], allow_partial=allow_partial)
            notes |= dict.fromkeys(f"{found[i].name}: no letters: {reason}" for i in members)
    return np.isin(np.arange(len(found)), common), list(notes)


def _compare(first: Entrant, second: Entrant, *, allow_partial: bool) -> tuple[str, list[str]]:
    """Why two policies cannot be compared, '' where they can; and what differs all the same."""
    notes: list[str] = []
    for one in first.parts:
        for other in second.parts:
            try:
                notes += check(one.meta, other.meta, allow_partial=allow_partial)
            except NotComparableError as error:
                return str(error), []
    return "", notes


def _differs(episodes: pd.DataFrame, counts: NDArray[np.bool_], name: str) -> NDArray[np.bool_]:
    """bool[rows]: the evidence is there, and is not what most policies have for that episode."""
    told = (episodes[name] != "").to_numpy()
    votes = episodes[told & counts].groupby(["episode", name], sort=False)["row"].agg(["size", "min"])
    ranked = votes.reset_index().sort_values(["size", "min"], ascending=[False, True])
    usual = ranked.drop_duplicates("episode").set_index("episode")[name]
    expected = episodes["episode"].map(usual)
    return told & expected.notna().to_numpy() & (expected != episodes[name]).to_numpy()

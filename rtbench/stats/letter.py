"""Compact letter display: policies that share a letter do not differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement
from string import ascii_lowercase

import numpy as np
from numpy.typing import NDArray


def letters(differ: NDArray[np.bool_], order: Sequence[int]) -> list[str]:
    """Letters such that two policies share one exactly if they do not differ.

    A letter is a group of policies of which no two differ. H.-P. Piepho, An algorithm for a letter-based
    representation of all-pairwise comparisons, JCGS 13 (2004), finds all largest groups and then sweeps out
    what is not needed; there can be exponentially many. Here, as in J. Gramm et al., Algorithms for compact
    letter displays, CSDA 52 (2007), a group is grown only from a pair that has none yet, so there are at most
    n (n - 1) / 2. Only whole groups are swept out, not members: where policies differ by their distance
    alone, each letter is then one unbroken stretch of the ranking.

    Args:
        differ: bool, shape (n, n), symmetric, False on the diagonal.
        order: the n policies, best first.

    Returns:
        The letters of each policy, in the order of `differ`; the best policy has 'a'. After 'z' come 'aa',
        'ab' ..., and then a blank stands between the letters of one policy.

    Raises:
        ValueError: a matrix that is not square, symmetric and False on its diagonal, or another order.
    """
    n = len(differ)
    if differ.shape != (n, n) or (differ != differ.T).any() or differ.diagonal().any():
        raise ValueError("differ must be square, symmetric and False on its diagonal.")
    if sorted(order) != list(range(n)):
        raise ValueError(f"order must hold each of 0 to {n - 1} once.")
    alike = ~differ[np.ix_(order, order)]
    # By their best member first, then by the next: so the letters of the ranked list read in order.
    groups = sorted(sorted(group) for group in _sweep(_grow(alike)))
    names = [_name(index) for index in range(len(groups))]
    gap = " " if len(groups) > len(ascii_lowercase) else ""
    found = [""] * n
    for rank, policy in enumerate(order):
        found[policy] = gap.join(name for name, group in zip(names, groups, strict=True) if rank in group)
    return found


def _grow(alike: NDArray[np.bool_]) -> list[set[int]]:
    """Groups of policies that are all alike: each pair that is alike, and each policy, is in one."""
    n = len(alike)
    open_ = alike.copy()
    groups = []
    for i in range(n):
        for j in range(i, n):
            # A policy alone needs a group only where no pair gave it one: a pair of itself, tried last.
            if not open_[i, j] or (i == j and open_[i].sum() > 1):
                continue
            members = [i] if i == j else [i, j]
            candidates: NDArray[np.bool_] = np.asarray(alike[members].all(axis=0))
            candidates[members] = False
            while candidates.any():
                # The one that covers most open pairs; the better policy on a tie.
                gain = np.where(candidates, open_[members].sum(axis=0), -1)
                best = int(gain.argmax())
                members.append(best)
                candidates &= alike[best]
                candidates[best] = False
            open_[np.ix_(members, members)] = False
            groups.append(set(members))
    return groups


def _sweep(groups: list[set[int]]) -> list[set[int]]:
    """Groups without those whose pairs all have another one."""
    times = Counter(pair for group in groups for pair in _pairs(group))
    kept = []
    for group in groups:
        if all(times[pair] > 1 for pair in _pairs(group)):
            times.subtract(_pairs(group))
        else:
            kept.append(group)
    return kept


def _pairs(group: set[int]) -> Iterator[tuple[int, int]]:
    """Pairs of members, each member with itself too, the smaller number first."""
    return combinations_with_replacement(sorted(group), 2)


def _name(index: int) -> str:
    """The letters from a to z, then aa, ab ..."""
    name = ""
    index += 1
    while index:
        index, letter = divmod(index - 1, len(ascii_lowercase))
        name = ascii_lowercase[letter] + name
    return name

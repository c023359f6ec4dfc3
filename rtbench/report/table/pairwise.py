"""Pairwise tests of all policies in a column at once, by products of 0/1 matrices.

Two hundred policies have 19,900 pairs. Joining their episodes pair by pair takes minutes; the counts of all
pairs together are three products of sparse matrices [policies, episodes].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtbench.analysis.pairing import SHARED
from rtbench.stats import holm, letters, mcnemar_many

Counts = NDArray[np.int64]
Truths = NDArray[np.bool_]


@dataclass(frozen=True)
class PairCounts:
    """For every two policies i and j, counts of outcomes of the episodes that both have."""

    shared: Counts
    """int64[n, n]: episodes valid for both; on the diagonal those of the policy itself."""
    only: Counts
    """int64[n, n]: episodes among them in which i succeeded and j did not."""
    successes: Counts
    """int64[n]: successes of each among all its own episodes."""

    @property
    def own(self) -> Counts:
        """int64[n]: valid episodes of each policy."""
        return np.diagonal(self.shared)


def count_pairs(policy: Counts, episode: Counts, success: Truths, size: int) -> PairCounts:
    """Count all pairs of `size` policies.

    Args:
        policy: int64[rows], which policy a row is of, 0 to size - 1.
        episode: int64[rows], a number for the episode; each at most once a policy.
        success: bool[rows].
        size: Policies, those without any row included.
    """
    from scipy.sparse import csr_array

    shape = (size, int(episode.max()) + 1 if len(episode) else 1)
    ones = np.ones(len(policy), dtype=np.int64)
    valid = csr_array((ones, (policy, episode)), shape=shape)
    won = csr_array((success.astype(np.int64), (policy, episode)), shape=shape)
    both = (won @ won.T).toarray()
    return PairCounts((valid @ valid.T).toarray(), (won @ valid.T).toarray() - both, np.diagonal(both))


@dataclass(frozen=True)
class Verdict:
    """Which policies of a column differ significantly."""

    letters: tuple[str, ...]
    """Compact letters of each, '' for one that was not tested."""
    best: Truths
    """bool[n]: not significantly different from the policy with the highest rate, while some other is."""
    paired: int
    """Pairs of policies that were tested on shared episodes."""
    unpaired: int
    """Pairs that were tested as independent samples."""
    least: float | None
    """Least detectable difference of rates, in the most favourable case; None without a test."""


def judge(counts: PairCounts, tested: Truths, alpha: float) -> Verdict:
    """Test all pairs of the policies that may be tested and have an episode; Holm over the pairs.

    Args:
        counts: Of all policies.
        tested: bool[n], those that take part.
        alpha: Rate of false differences in the whole column.

    Pairs that share enough episodes (`rtbench.analysis.pairing.SHARED`) are tested by McNemar's exact
    test on these, others by Fisher's exact test on all that each of them has.
    """
    size = len(tested)
    members = np.flatnonzero(tested & (counts.own > 0))
    if len(members) < 2:
        return Verdict(("",) * size, np.zeros(size, dtype=bool), 0, 0, None)
    near, far = np.triu_indices(len(members), k=1)
    i, j = members[near], members[far]
    shared, own, won = counts.shared, counts.own, counts.successes
    paired = shared[i, j] >= SHARED * np.minimum(own[i], own[j])
    p = np.ones(len(i))
    a, b = i[paired], j[paired]
    p[paired] = mcnemar_many(counts.only[a, b], counts.only[b, a])
    a, b = i[~paired], j[~paired]
    p[~paired] = fisher((won[a], own[a]), (won[b], own[b]))
    differ = np.zeros((len(members), len(members)), dtype=bool)
    differ[near, far] = np.asarray(holm(p)) <= alpha
    differ |= differ.T
    rates = won[members] / own[members]
    order = np.argsort(-rates, kind="stable")
    found = letters(differ, order.tolist())
    told = [""] * size
    for member, text in zip(members, found, strict=True):
        told[member] = text
    best = np.zeros(size, dtype=bool)
    if differ[order[0]].any():
        best[members] = ~differ[order[0]]
    least = _least(shared[i, j][paired], np.minimum(own[i], own[j])[~paired], alpha / len(i))
    return Verdict(tuple(told), best, int(paired.sum()), int((~paired).sum()), least)


def fisher(first: tuple[Counts, Counts], second: tuple[Counts, Counts]) -> NDArray[np.float64]:
    """Both-sided exact p of Fisher's test that two rates are equal, for many pairs of samples at once.

    Args:
        first: Successes and episodes, int64[pairs] each.
        second: Those of the other sample.

    R. A. Fisher, Statistical Methods for Research Workers (1934): given all successes together, those of the
    first sample are hypergeometric. Twice the smaller tail, at most 1, so that no order of tables is needed.
    """
    (k, n), (other, m) = first, second
    if not len(k):
        return np.ones(0)  # returns before the import, which takes a second
    from scipy.stats import hypergeom

    law = hypergeom(n + m, k + other, n)
    tail = np.minimum(law.cdf(k), law.sf(k - 1))
    return np.asarray(np.minimum(1.0, 2 * tail), dtype=np.float64)


def _least(paired: Counts, unpaired: Counts, alpha: float) -> float | None:
    """The smallest difference with a p of at most alpha, were all else as favourable as it can be."""
    found = []
    if len(paired):
        # All k episodes that differ do so in one direction: p = 2 / 2^k.
        need = int(np.ceil(1 - np.log2(alpha)))
        found += [need / int(paired.max())] if paired.max() >= need else []
    if len(unpaired) and (n := int(unpaired.max())):
        k = np.arange(1, n + 1)
        p = fisher((k, np.full(n, n)), (np.zeros(n, dtype=np.int64), np.full(n, n)))
        found += [(int(np.argmax(p <= alpha)) + 1) / n] if (p <= alpha).any() else []
    return min(found, default=None)

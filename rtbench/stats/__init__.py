"""Statistics of rates and times, in closed form or seeded.

Where two runs are compared, the first is the baseline. SciPy is imported where it is used: the workers and
the command line's help read this package too.
"""

from rtbench.stats.bootstrap import clustered
from rtbench.stats.bounds import inferiority, inferiority_independent
from rtbench.stats.clustered_rate import wilson_clustered
from rtbench.stats.independent import boschloo, newcombe
from rtbench.stats.letter import letters
from rtbench.stats.multiple import holm
from rtbench.stats.pairs import Pairs, mcnemar, mcnemar_many, newcombe_paired, newcombe_paired_many
from rtbench.stats.rates import clopper_pearson, macro, percentile, rate, wilson
from rtbench.stats.sequential import Sequential, robbins

__all__ = [
    "Pairs",
    "Sequential",
    "boschloo",
    "clopper_pearson",
    "clustered",
    "holm",
    "inferiority",
    "inferiority_independent",
    "letters",
    "macro",
    "mcnemar",
    "mcnemar_many",
    "newcombe",
    "newcombe_paired",
    "newcombe_paired_many",
    "percentile",
    "rate",
    "robbins",
    "wilson",
    "wilson_clustered",
]

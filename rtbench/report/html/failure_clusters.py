"""Section on what failures have in common: objects, places, looks and skills."""

from __future__ import annotations

from collections.abc import Sequence

from rtbench.analysis.failure_clusters import Cluster, failure_clusters
from rtbench.report.html.section import UNKNOWN, Figure, Section, Series, bounds, percent, table

_HEADS = (
    "in common", "policy", "failures", "fail", "fail elsewhere", "times as often", "difference, 95 %",
    "p (Holm)",
)  # fmt: skip


def section(runs: Sequence[Series]) -> Section:
    """One table of all runs; empty where no run has a cluster."""
    rows = [_row(one, cluster) for one in runs for cluster in failure_clusters(one.run.records)]
    note = (
        "Failures of episodes that share an object of the goal, a place, a look or a skill, against those of "
        "all other episodes. Fisher's exact test; p adjusted by Holm over all properties of a run, "
        "so that chance alone shows any cluster in at most 5 % of runs. Clusters may overlap."
    )
    figures = [Figure("Clusters", table=table(runs, _HEADS, rows), whole_width=True)] if rows else []
    return Section("clusters", "What failures have in common", tuple(figures), note)


def _row(one: Series, cluster: Cluster) -> tuple[str, ...]:
    failed, n = cluster.failures
    others, total = cluster.elsewhere
    return (
        " = ".join((f"{cluster.kind} {cluster.name}", *cluster.same)),
        one.label,
        f"{failed} of {n}",
        percent(cluster.share),
        percent(others / total),
        UNKNOWN if cluster.lift is None else f"{cluster.lift:.1f}",
        bounds(cluster.interval),
        "<0.001" if cluster.p < 0.001 else f"{cluster.p:.3f}",
    )

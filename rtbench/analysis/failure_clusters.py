"""What failures have in common: objects, places, looks and skills in which a run fails more than elsewhere.

A property of episodes is a candidate. Its episodes are compared with all others by Fisher's exact test, and
the p values of all candidates are adjusted by Holm's method: a run whose failures are spread by chance has no
cluster in at least 95 % of cases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rtbench.core.episode import Episode
from rtbench.result.record import Record
from rtbench.stats import holm, newcombe

KINDS = ("skill", "object", "place", "look")
"""Kinds of properties, in the order in which equal clusters are listed."""
ALPHA = 0.05
LEAST = 5
"""Fewest episodes of a property, and of all others: fewer could be no cluster in any run of usual size."""
_SCENE_AS_IT_IS = "unperturbed"


@dataclass(frozen=True)
class Cluster:
    """A property whose episodes fail more often than the others."""

    kind: str
    """One of `KINDS`."""
    name: str
    """Name of the object, place, look or skill."""
    failures: tuple[int, int]
    """Failures, and episodes with an outcome, that have it."""
    elsewhere: tuple[int, int]
    """Those that do not."""
    interval: tuple[float, float]
    """Of the difference of the two shares of failures: Newcombe's, at 95 %; not adjusted."""
    p: float
    """Adjusted p value of Fisher's exact test, one-sided: more failures than elsewhere."""
    keys: tuple[str, ...] = ()
    """Keys of its failures, in order."""
    same: tuple[str, ...] = ()
    """Other properties of exactly the same episodes, as 'KIND NAME'; the failures cannot tell them apart."""

    @property
    def share(self) -> float:
        """Share of its episodes that fail."""
        return self.failures[0] / self.failures[1]

    @property
    def lift(self) -> float | None:
        """How many times as often they fail as the others; None where no other fails."""
        failed, n = self.elsewhere
        return self.share / (failed / n) if failed else None


def properties(episode: Episode, about: Sequence[str] = ()) -> dict[str, tuple[str, ...]]:
    """Properties of an episode by kind, each of `KINDS`.

    Args:
        episode: The episode.
        about: What its goal is about, objects first and places among them; of
            `rtbench.analysis.failure_clusters.goal_names`. Distractors are no property: they differ in every
            episode.
    """
    objects = tuple(name for name in about if name in episode.objects)
    places = tuple(name for name in about if name not in episode.objects)
    look = episode.variant or _SCENE_AS_IT_IS
    return {
        "skill": (episode.skill,),
        "object": objects,
        "place": (*places, episode.scene),
        "look": (look, f"axis {episode.axis}"),
    }


def goal_names(record: Record) -> tuple[str, ...]:
    """Names in the leaves of a record's goal, such as objects and drawers, each once; () of an error."""
    leaves: Mapping[str, bool] = record.outcome.subgoals if record.outcome else {}
    names = (name for leaf in leaves for name in leaf.partition("(")[2].rstrip(")").split(", "))
    return tuple(dict.fromkeys(name for name in names if name))


def failure_clusters(records: Iterable[Record], alpha: float = ALPHA) -> list[Cluster]:
    """Clusters of a run's failures, the surest first. Errors are neither success nor failure, and left out.

    Properties that have exactly the same episodes are one candidate, under the name of the first kind.

    Args:
        records: Records of one run.
        alpha: Chance of showing any cluster where none is.
    """
    valid = [record for record in records if record.outcome]
    failed = {record.key for record in valid if record.outcome and not record.outcome.end}
    members: dict[tuple[str, str], set[str]] = {}
    for record in valid:
        for kind, names in properties(record.episode, goal_names(record)).items():
            for name in names:
                members.setdefault((kind, name), set()).add(record.key)
    candidates: dict[frozenset[str], list[tuple[str, str]]] = {}
    for place, keys in sorted(members.items(), key=lambda item: (KINDS.index(item[0][0]), item[0][1])):
        if LEAST <= len(keys) <= len(valid) - LEAST:
            candidates.setdefault(frozenset(keys), []).append(place)
    found = [_cluster(keys, places, failed, len(valid)) for keys, places in candidates.items()]
    adjusted = holm([one.p for one in found])
    sure = [replace(one, p=float(p)) for one, p in zip(found, adjusted, strict=True) if p <= alpha]
    return sorted(sure, key=lambda one: (one.p, -one.share, KINDS.index(one.kind), one.name))


def _cluster(
    keys: frozenset[str], places: Sequence[tuple[str, str]], failed: set[str], total: int
) -> Cluster:
    """A candidate of the episodes `keys` of `total`; its p value is not adjusted yet."""
    from scipy.stats import hypergeom

    inside = sorted(keys & failed)
    first = (len(inside), len(keys))
    second = (len(failed) - len(inside), total - len(keys))
    # Given all failures together, those of the property are hypergeometric.
    p = float(hypergeom.sf(first[0] - 1, total, len(failed), len(keys)))
    (kind, name), *others = places
    return Cluster(
        kind=kind,
        name=name,
        failures=first,
        elsewhere=second,
        interval=newcombe(first, second),
        p=min(1.0, p),
        keys=tuple(inside),
        same=tuple(f"{other} {what}" for other, what in others),
    )

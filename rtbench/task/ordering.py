"""Balanced order of episodes: the first n episodes are a representative sample of all, for every n."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter, itemgetter

from rtbench.core.episode import Episode
from rtbench.core.seeding import generator

_KEY = attrgetter("key")
_LEVELS = (attrgetter("axis"), attrgetter("skill"), attrgetter("task"))


def balanced(episodes: Iterable[Episode], *stream: str | int) -> list[Episode]:
    """The episodes in an order in which axes, skills and tasks alternate in proportion.

    The episodes are laid out on a circle. Each axis spreads its episodes evenly, from a random angle. Within
    an axis the skills do the same, within a skill the tasks, and the order within a task is random. The
    circle is then read from a random episode. It follows that

    - among n episodes in a row, a group that holds the share s of its parent, in which it has g siblings
      (itself included), has less than 1 + g s episodes more or fewer than s times the parent's;
    - every episode is among the first n with the same probability, so that the success rate of the first n
      is an unbiased estimate of that of all.

    The order depends on the episodes and the stream, not on the order in which they are given.

    Args:
        episodes: Episodes, each once.
        stream: Names the random numbers; see `rtbench.core.seeding`.
    """
    circle = _circle(sorted(episodes, key=_KEY), 0, stream)
    if not circle:
        return []
    start = int(generator(*stream, "start").integers(len(circle)))
    return circle[start:] + circle[:start]


def _circle(episodes: Sequence[Episode], level: int, stream: tuple[str | int, ...]) -> list[Episode]:
    """Episodes in order of their angle, groups of that level and those below it spread evenly."""
    random = generator(*stream, "angle")
    if level == len(_LEVELS):
        return [episodes[int(i)] for i in random.permutation(len(episodes))]
    groups: dict[str, list[Episode]] = {}
    for episode in episodes:
        groups.setdefault(_LEVELS[level](episode), []).append(episode)
    placed = []
    for name, members in sorted(groups.items()):
        angle = random.random()
        spread = _circle(members, level + 1, (*stream, name))
        placed += [((i + angle) / len(spread), episode) for i, episode in enumerate(spread)]
    return [episode for _, episode in sorted(placed, key=itemgetter(0))]

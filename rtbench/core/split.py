"""Splits of episodes (seen, novel, emergent) for one policy, by what is new to that policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rtbench.core.episode import Episode

SEEN, NOVEL, LEFT_OUT = "seen", "novel", "left_out"
"""Splits derived here; suites have 'emergent' too."""


Novelties = Mapping[str, Sequence[str]]
"""New aspects for the policy, by episode key. An episode that is not in it has nothing new."""


def split_of(episode: Episode, novelties: Sequence[str] | None, *, reference: bool = False) -> str:
    """The split that an episode counts under for one policy: 'seen', 'novel', 'emergent' or `LEFT_OUT`.

    Args:
        episode: The episode, with the split that its suite gives it.
        novelties: New aspects for the policy; None where its card says nothing of training. Then the suite
            decides.
        reference: Whether the episode is the unperturbed twin of others. It serves for comparison and claims
            nothing new.

    An episode of a novel split that has nothing new to the policy is left out of all novel rates. An episode
    of the seen split that has something new counts as novel.
    """
    if novelties is None:
        return episode.split
    if novelties:
        return NOVEL if episode.split == SEEN else episode.split
    return SEEN if episode.split == SEEN or reference else LEFT_OUT


def splits_of(episodes: Mapping[str, Episode], novelties: Novelties | None) -> dict[str, str]:
    """By key: the split that each episode of a run counts under for the policy; see `split_of`.

    Args:
        episodes: All episodes of the run by key, unperturbed twins among them.
        novelties: None where the policy's card says nothing of its training.
    """
    if novelties is None:
        return {key: split_of(episode, None) for key, episode in episodes.items()}
    references = {episode.twin for episode in episodes.values() if not episode.arm}
    return {
        key: split_of(episode, novelties.get(key, ()), reference=key in references)
        for key, episode in episodes.items()
    }

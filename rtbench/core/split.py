"""The split that an episode counts under for one policy, by what is new to that policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rtbench.core.episode import Episode

SEEN, NOVEL, LEFT_OUT = "seen", "novel", "left_out"
"""Splits derived here; suites have 'emergent' too."""


Novelties = Mapping[str, Sequence[str]]
"""What is new to the policy, by episode key; an episode that is not in it holds nothing new."""


def split_of(episode: Episode, novelties: Sequence[str] | None, *, reference: bool = False) -> str:
    """The split that an episode counts under for one policy: 'seen', 'novel', 'emergent' or `LEFT_OUT`.

    Args:
        episode: The episode, with the split that its suite gives it.
        novelties: What is new to the policy; None where its card says nothing of training. Then the suite
            decides.
        reference: Whether other episodes are this one, perturbed. It is there to compare with, and claims
            nothing new.

    An episode that is to be novel, and holds nothing that the policy was not trained on, is left out: it
    belongs in no novel rate. An episode of the seen split that holds something new is novel.
    """
    if novelties is None:
        return episode.split
    if novelties:
        return NOVEL if episode.split == SEEN else episode.split
    return SEEN if episode.split == SEEN or reference else LEFT_OUT


def splits_of(episodes: Mapping[str, Episode], novelties: Novelties | None) -> dict[str, str]:
    """By key: the split that each episode of a run counts under for the policy; see `split_of`.

    Args:
        episodes: All of the run by key: some may be what others perturb.
        novelties: None where the policy's card says nothing of its training.
    """
    if novelties is None:
        return {key: split_of(episode, None) for key, episode in episodes.items()}
    references = {episode.twin for episode in episodes.values() if not episode.arm}
    return {
        key: split_of(episode, novelties.get(key, ()), reference=key in references)
        for key, episode in episodes.items()
    }

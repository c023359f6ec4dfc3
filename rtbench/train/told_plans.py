"""Plans that RT-1 is told in training, in place of instructions: words, and the places of what they mean.

RT-2 states a plan when an episode begins, and RT-1 acts by it. So the words are a plan's, in which a thing
that RT-1 was never trained on is called "thing", and the places are those of the episode's first frame.
Where both are told and differ, either may be wrong.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from rtbench.data.plan_text import plan_names, plan_places, plan_text
from rtbench.policy.rt2.spoken_names import hidden, pattern
from rtbench.train.dataset import Dataset

WITHOUT_NAME = 0.5
"""Share of the plans in which a name is hidden, for each of the two."""
MISPLACED = 0.1
"""Share of the plans of which a place is another plan's, for each of the two: names are right then."""
UNTOLD = 0.1
"""Share of the plans that are told in words alone."""
NOISE = 0.01
"""Standard deviation of a place, as a share of the picture's sides."""


class ToldPlans:
    """The plans of a dataset's demonstrations, in several wordings."""

    def __init__(self, data: Dataset) -> None:
        """Plans and first places of all demonstrations; a demonstration's first frame is its episode's."""
        wordings = [_wordings(plan_text(episode), plan_names(episode)) for episode in data.episodes]
        self.texts = tuple(dict.fromkeys(text for texts in wordings for text in texts))
        """All wordings, each once."""
        number = {text: k for k, text in enumerate(self.texts)}
        self._wordings = np.array([[number[text] for text in texts] for texts in wordings])
        self._places = plan_places(data.points.cpu().numpy()[data.first])

    def draw(
        self, demos: NDArray[np.int64], random: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Plans for windows of demonstrations.

        Args:
            demos: int64[B], numbers of the demonstrations.
            random: Draws everything.

        Returns:
            int64[B], numbers of `texts`; and float32[B, 2, 2], places, NaN for one that is not told.
        """
        count = len(demos)
        named = random.random((count, 2)) >= WITHOUT_NAME
        places = self._places[demos]
        lost = ~np.isfinite(places).all(-1)
        elsewhere = named & (random.random((count, 2)) < MISPLACED)
        # What is out of the picture cannot be pointed at, but RT-2 points all the same.
        elsewhere |= lost & (random.random((count, 2)) < 1 / 2)
        places = np.where(elsewhere[..., None], places[random.permutation(count)], places)
        places = places + random.normal(0, NOISE, places.shape).astype(np.float32)
        silent = (random.random(count) < UNTOLD) & named.all(1)
        places[silent] = np.nan
        return self._wordings[demos, ~named @ np.array([1, 2])], places


@cache
def _wordings(text: str, names: tuple[str, ...]) -> list[str]:
    """The plan as it is, without the name of its first thing, without that of the second, without both."""
    return [hidden(text, pattern(each)) for each in ((), names[:1], names[1:], names)]

"""The columns that every table of episodes has in common."""

from __future__ import annotations

from dataclasses import fields

from rtbench.core.episode import Episode

EPISODE_COLUMNS = tuple(field.name for field in fields(Episode) if field.name != "objects")
"""Fields of an episode that are one value each; the names of its objects are several."""
EPISODE_NUMBERS = ("seed", "horizon")
"""Those of `EPISODE_COLUMNS` that are whole numbers; the others are texts."""
OUTCOME_FLAGS = ("ever", "end", "held")
"""Fields of an outcome that are true or false."""
OUTCOME_COLUMNS = (*OUTCOME_FLAGS, "steps", "termination", "progress")
"""Fields of an outcome that have a column each; each of `rtbench.core.episode.EVENTS` has one too."""

"""What the list of episodes says of plans."""

from __future__ import annotations

from dataclasses import replace

from rtbench.core.importing import load_object
from rtbench.core.stated_plan import Place, StatedPlan
from rtbench.report.html.episode_list import _plans
from rtbench.result.record import Record
from tests.helpers.paths import HELPERS

episode = load_object(f"{HELPERS / 'fake_env.py'}:episode")


def test_plans_are_told_with_all_that_their_places_may_mean():
    bowl = Place(0.5, 0.5, "bowl", ("lemon",))
    first = StatedPlan(0, "pick lemon from bowl", (bowl, Place(0.1, 0.1)))
    plans = (first, replace(first, step=8), StatedPlan(12, "wait"))
    told = _plans(Record(episode(0), "rtbench", None, plans=plans))
    assert told == "step 0: pick lemon from bowl (bowl or lemon, nothing); step 12: wait"

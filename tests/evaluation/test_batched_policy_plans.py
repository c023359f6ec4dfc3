"""Plans that a policy states: checked, kept with the things they point at, and shown."""

import math
from dataclasses import replace

import numpy as np
import pytest

from rtbench.core.action import RTBENCH
from rtbench.core.episode import Observation
from rtbench.core.fault import Fault
from rtbench.core.importing import load_object
from rtbench.core.stated_plan import Place, StatedPlan
from rtbench.env.kitchen import Kitchen
from rtbench.env.visibility import in_picture
from rtbench.evaluation.batched_policy import BatchedPolicy
from rtbench.evaluation.pointing import _in_picture, with_things
from rtbench.evaluation.rollout import Decision
from rtbench.policy.base import Needs
from rtbench.policy.check import check_plan
from rtbench.result.record import Record, read_records
from rtbench.result.video import marked
from rtbench.task import suite
from rtbench.task.library import BUNDLED
from tests.helpers.paths import HELPERS
from tests.helpers.runs import episodes, play

make_episode = load_object(f"{HELPERS / 'fake_env.py'}:episode")
PLAN = StatedPlan(0, "push the cart", (Place(0.25, 0.5), Place(0.75, 0.5)))


class Planning:
    """Says in each step what it is told to."""

    needs = Needs()

    def __init__(self, said=PLAN):
        self.said = said

    def reset(self, slot, instruction, seed):
        """Nothing to forget."""

    def act(self, observations, slots):
        return np.tile(RTBENCH.encode(np.zeros(11)), (len(slots), 1))

    def stated_plan(self, slot):
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


def decided(said):
    policy = BatchedPolicy(Planning(said), RTBENCH, limit_s=30)
    try:
        policy.reset(0, "", 0)
        return policy.act([Observation({}, "", np.zeros(15, np.float32), 0)], [0])
    finally:
        policy.close()


def test_a_plan_comes_with_its_decision():
    answer = decided(PLAN)
    assert answer.plans == (PLAN,)
    assert isinstance(answer.rows[0], Decision)
    assert decided(None).plans == (None,)


@pytest.mark.parametrize(
    "said",
    [
        "push the cart",
        replace(PLAN, text="x" * 1001),
        replace(PLAN, places=(Place(1.2, 0.5),)),
        replace(PLAN, places=(Place(math.nan, 0.5),)),
        replace(PLAN, places=(Place(0.5, 0.5),) * 17),
        replace(PLAN, places=("left",)),
    ],
)
def test_plans_that_no_record_can_hold_are_faults_of_the_policy(said):
    assert isinstance(check_plan(said), Fault)
    answer = decided(said)
    assert isinstance(answer.rows[0], Fault)
    assert answer.rows[0].kind == "policy_output"


def test_a_policy_that_breaks_while_it_states_a_plan_is_a_fault():
    assert decided(RuntimeError("no words")).fault.kind == "policy"


def test_plans_are_in_the_record_and_only_where_there_are_any(tmp_path):
    record = Record(
        make_episode(1), "rtbench", error=Fault("policy", "x"), plans=(PLAN, replace(PLAN, step=8))
    )
    bare = replace(record, plans=())
    path = tmp_path / "episodes.jsonl"
    path.write_bytes(record.line() + replace(bare, episode=make_episode(2)).line())
    first, second = read_records(path).records
    assert first == record
    assert second.plans == ()
    assert b"plans" not in bare.line(), "records of other policies are as they were"


def test_a_run_keeps_each_plan_once(tmp_path):
    run = play(tmp_path, episodes(1), "Planner", workers=1, video="all")
    (record,) = run.records
    assert [plan.step for plan in record.plans] == list(range(0, record.outcome.steps, 2))
    assert len(record.plans) > 1
    assert (run.path / "videos" / record.video).exists()


def test_rings_are_drawn_around_the_places():
    frame = np.zeros((256, 640, 3), np.uint8)
    shown = marked(frame, PLAN)
    changed = np.argwhere((shown != frame).any(-1))
    assert np.abs(changed - (128, 80)).sum(1).min() < 12
    assert np.abs(changed - (128, 240)).sum(1).min() < 12
    assert changed[:, 1].max() < 320, "the head camera's picture is the left one"


def test_places_are_named_by_what_is_there():
    kitchen = Kitchen(cameras=())
    try:
        episode = next(e for e in suite.episodes(BUNDLED.suite("seen"), limit=40) if e.skill == "move_near")
        kitchen.begin(episode)
        before = kitchen.state_hash()
        stage = kitchen._current()
        camera = stage.data.camera("head")
        fovy = float(stage.scene.model.camera("head").fovy[0])
        names = [*episode.objects[:2], "top_drawer"]
        points = np.array([kitchen.world.pose(name).position for name in names])
        places = in_picture(points, camera.xpos, camera.xmat.reshape(3, 3), fovy)
        plan = StatedPlan(0, "x", (*(Place(float(x), float(y)) for x, y in places), Place(0.0, 0.0)))
        found = with_things(plan, kitchen)
        assert [place.thing for place in found.places] == [*names, ""]
        assert [(p.x, p.y) for p in found.places] == [(p.x, p.y) for p in plan.places]
        assert kitchen.state_hash() == before
    finally:
        kitchen.close()


def test_what_lies_in_a_bowl_is_where_the_bowl_is():
    kitchen = Kitchen(cameras=())
    try:
        chosen = (e for e in suite.episodes(BUNDLED.suite("seen"), rounds=30) if "_bowl" in e.task)
        episode = next(e for e in chosen if e.skill == "pick_from")
        kitchen.begin(episode)
        names, points = _in_picture(kitchen)
        thing, bowl = episode.objects[:2]
        x, y = (float(value) for value in points[names.index(bowl)])
        (place,) = with_things(StatedPlan(0, "x", (Place(x, y),)), kitchen).places
        assert place.thing == bowl
        assert place.beside == (thing,)
        assert place.things == (bowl, thing)
    finally:
        kitchen.close()


def test_other_environments_name_nothing():
    plan = StatedPlan(0, "x", (Place(0.5, 0.5),))
    assert with_things(plan, object()) is plan, "environments without names point at nothing"

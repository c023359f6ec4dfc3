"""Requests: every description singles out what is meant, and bad requests name their place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.core.errors import RtbenchError
from rtbench.task import yaml_loader
from rtbench.task.derived_skill import Request
from rtbench.task.expand import HELD_OUT, expand
from rtbench.task.library import BUNDLED
from rtbench.task.referring_expression import SIDES, Reference
from rtbench.task.skill import Setting, Skill
from rtbench.task.task import Goal

CATALOGUE = BUNDLED.catalogue()
THINGS = CATALOGUE.objects
REQUESTED = [task for task in CATALOGUE.tasks.values() if task.group not in ("", HELD_OUT)]
EMERGENT = [task for task in BUNDLED.suite("emergent").tasks() if task.group]
RT2 = {
    "symbols_1": ["move coke can near x", "move coke can near 3", "move coke can near y"],
    "symbols_2": [
        "move apple to tree",
        "move apple to duck",
        "move apple to apple",
        "move apple to matching card",
    ],
    "symbols_3": ["put coke can close to dog", "push coke can on top of heart", "place coke can above star"],
    "math": [
        "move banana to 2",
        "move banana near the sum of two plus one",
        "move banana near the answer of three times two",
        "move banana near the smallest number",
    ],
    "nutrition": [
        "get me a healthy snack",
        "pick a healthy drink",
        "pick up a sweet drink",
        "move the healthy snack to the healthy drink",
        "pick up a salty snack",
    ],
    "color": [
        "move apple to cup with same color",
        "move apple to cup with different color",
        "move green chips to matching color cup",
    ],
    "unseen_objects_easy": [
        "pick banana",
        "move banana near coke can",
        "move orange can near banana",
        "pick oreo",
        "move oreo near apple",
        "move redbull can near oreo",
        "pick pear",
        "pick coconut water",
        "move pear near coconut water",
        "move pepsi can near pear",
    ],
    "environment_sink": ["pick white mug", "move spoon near plate", "put orange cup into sink"],
    "environment_desk": [
        "pick stapler",
        "push mouse to the left of keyboard",
        "push book to the right of papers",
    ],
}
"""RT-2's own words, but for logos and real people."""


@dataclass(frozen=True)
class Toy:
    names: tuple[str, ...] = ("toy",)
    tags: tuple[str, ...] = ("movable",)
    value: int | None = None
    set: str = "seen"


def toy(name: str, *tags: str, value: int | None = None) -> Toy:
    return Toy((name,), ("movable", *tags), value)


TOYS = {
    "ball": toy("ball", "round", "red"),
    "dice": toy("dice", "red"),
    "ring": toy("ring", "round"),
    "one": toy("one", "digit", value=1),
    "two": toy("two", "digit", value=2),
}
SCENES = {"room": Setting(("counter",), ("top_drawer",))}
SKILLS = """
wave:
  version: 3
  scene: room
  horizon: 30
  roles: {object: {tag: movable}}
  place: {object: counter}
  distractors: [2, 4]
  goal: {lifted: object}
  instructions: ["wave {object}"]
  held_out: [[ball]]
"""
GOOD = """
wave_round:
  like: wave
  roles: {object: ball}
  means: {object: {tags: [round]}}
  foils: [dice, one]
  instructions: ["wave what rolls"]
"""


def tasks_of(text: str, tmp_path: Path):
    (tmp_path / "skills.yaml").write_text(SKILLS)
    (tmp_path / "toys.yaml").write_text(text)
    skills = yaml_loader.read_file(tmp_path / "skills.yaml", Skill)
    requests = yaml_loader.read_file(tmp_path / "toys.yaml", Request)
    return expand([(r.stem, r.resolve(skills)) for r in requests.values()], TOYS, SCENES)


@pytest.mark.parametrize("group", RT2)
def test_rt2s_own_requests_are_there(group):
    said = {text for task in REQUESTED if task.group == group for text in task.templates}
    assert said.issuperset(RT2[group])


def test_there_are_many_different_requests():
    groups: dict[str, set[str]] = {}
    for task in EMERGENT:
        groups.setdefault(task.group, set()).update(task.templates)
    assert min(map(len, groups.values())) >= 8
    assert len(set().union(*groups.values())) >= 150


def test_every_description_fits_the_thing_that_is_meant_and_no_other():
    for task in REQUESTED:
        present = {name: THINGS[name] for name in task.present}
        for meant, reference in task.means.items():
            found = reference.candidates(present)
            if reference.spatial:
                assert meant in found
                assert len(found) >= 2, f"{task.id}: nothing to compare with"
            else:
                assert found == (meant,), task.id


def test_what_is_all_of_a_kind_is():
    for task in REQUESTED:
        for reference in task.every:
            found = reference.candidates({name: THINGS[name] for name in task.present})
            assert found, task.id
            assert set(found) <= set(task.objects), task.id
            assert set(found) <= {name for leaf in task.goal.leaves() for name in leaf.arguments}, task.id


def test_no_distractor_is_what_is_meant():
    for task in REQUESTED:
        others = {name: THINGS[name] for name in CATALOGUE.bystanders(task)}
        for reference in (*task.means.values(), *task.every):
            assert not any(reference.fits(thing) for thing in others.values()), task.id
        assert len(others) >= task.start.distractors[1], task.id


def test_described_things_stand_among_others():
    for task in EMERGENT:
        if task.means:
            assert len(task.foils) >= 2, task.id
        mats = sum("mat" in THINGS[name].tags for name in task.present)
        assert len(task.present) + task.start.distractors[1] <= (6 if mats else 7), task.id
        assert mats <= 3, task.id


def test_requests_do_not_ask_for_held_out_pairs_under_other_words():
    held_out = {str(task.goal) for task in CATALOGUE.tasks.values() if task.group == HELD_OUT}
    for task in EMERGENT:
        assert held_out.isdisjoint({str(task.goal), *map(str, task.goal.children)}), task.id


def test_places_that_descriptions_speak_of_are_given():
    for task in REQUESTED:
        leaves = set() if task.start.given is None else set(task.start.given.leaves())
        for meant, reference in task.means.items():
            if reference.extreme in SIDES:
                others = set(reference.candidates({name: THINGS[name] for name in task.present})) - {meant}
                compared = {leaf for leaf in leaves if leaf.predicate == SIDES[reference.extreme][0]}
                assert {name for leaf in compared for name in leaf.arguments} == {meant, *others}
            if reference.between:
                assert Goal("between", (meant, *reference.between)) in leaves


def test_a_request_takes_from_its_skill_what_it_does_not_say(tmp_path):
    task = tasks_of(GOOD, tmp_path)["toys/wave_round-v0"]
    assert (task.skill, task.scene, task.horizon, task.group) == ("wave", "room", 30, "toys")
    assert (task.objects, task.foils) == (("ball",), ("dice", "one"))
    assert (task.start.place, task.start.distractors) == ({"ball": "counter"}, (2, 4))
    assert (task.templates, str(task.goal)) == (("wave what rolls",), "lifted(ball)")
    assert task.means == {"ball": Reference(tags=("round",))}


def test_its_own_fields_come_first(tmp_path):
    changed = GOOD + "  version: 7\n  horizon: 99\n  distractors: [0, 1]\n  place: {object: top_drawer}\n"
    task = tasks_of(changed + "  drawers: {top_drawer: 0.2}\n", tmp_path)["toys/wave_round-v7"]
    assert (task.horizon, task.start.distractors) == (99, (0, 1))
    assert (task.start.place, task.start.drawers) == ({"ball": "top_drawer"}, {"top_drawer": 0.2})


def test_names_say_whom_several_could_play(tmp_path):
    several = GOOD.replace("object: ball", "object: [ball, ring]")
    assert list(tasks_of(several, tmp_path)) == ["toys/wave_round_ball-v0", "toys/wave_round_ring-v0"]


def test_what_is_a_foil_plays_no_role(tmp_path):
    several = GOOD.replace("object: ball", "object: [ball, one]")
    assert list(tasks_of(several, tmp_path)) == ["toys/wave_round_ball-v0"]


def test_a_goal_of_its_own_needs_roles_of_its_own(tmp_path):
    own = """
pair:
  like: wave
  roles: {first: ball, second: [dice, ring]}
  place: {first: counter, second: counter}
  given: {left_of: [first, second]}
  goal: {near: [first, second]}
  instructions: ["bring {first} and {second} together"]
"""
    tasks = tasks_of(own, tmp_path)
    assert list(tasks) == ["toys/pair_dice-v0", "toys/pair_ring-v0"]
    assert str(tasks["toys/pair_ring-v0"].start.given) == "left_of(ball, ring)"
    assert tasks["toys/pair_ring-v0"].objects == ("ball", "ring")


def test_an_extreme_becomes_what_must_hold_at_the_start(tmp_path):
    text = GOOD.replace("tags: [round]", "tags: [red], extreme: leftmost").replace(
        "[dice, one]", "[dice, ring]"
    )
    assert str(tasks_of(text, tmp_path)["toys/wave_round-v0"].start.given) == "left_of(ball, dice)"
    text = text.replace("leftmost", "farthest").replace("[red]", "[movable]")
    given_ = tasks_of(text, tmp_path)["toys/wave_round-v0"].start.given
    assert str(given_) == "all(nearer(dice, ball), nearer(ring, ball))"


@pytest.mark.parametrize(
    ("old", "new", "fragments"),
    [
        ("like: wave", "like: wawe", ["like", "skill 'wawe'", "'wave'"]),
        ("  like: wave\n", "", ["scene", "required", "'like'"]),
        ("object: ball", "objekt: ball", ["roles", "role 'objekt'", "'object'"]),
        ("object: ball", "object: bal", ["'bal'", "'ball'"]),
        ("foils: [dice", "foils: [dise", ["object 'dise'", "'dice'"]),
        ("means: {object:", "means: {objekt:", ["role 'objekt'", "'object'"]),
        ("tags: [round]", "tagz: [round]", ["tagz"]),
        ("tags: [round]", "extreme: leftest", ["extreme"]),
        ("foils:", "distractors: [3, 1]\n  foils:", ["fewest, most"]),
        ("foils:", "place: {object: top_drawr}\n  foils:", ["place 'top_drawr'", "'top_drawer'"]),
        ("foils:", "given: {left_of: [object, dise]}\n  foils:", ["object 'dise'", "'dice'"]),
        ("wave what rolls", "wave {objekt}", ["role 'objekt'", "'object'"]),
        ("wave what rolls", "Wave it", ["'Wave'", "lower-case"]),
    ],
)
def test_bad_requests_name_file_entry_and_remedy(tmp_path, old, new, fragments):
    assert old in GOOD
    with pytest.raises(RtbenchError) as caught:
        tasks_of(GOOD.replace(old, new, 1), tmp_path)
    for fragment in ["toys.yaml", "wave_round", *fragments]:
        assert fragment in str(caught.value)


def test_a_description_does_away_with_the_name(tmp_path):
    two = GOOD.replace("object: ball", "object: [ball, ring]")
    assert len(tasks_of(two, tmp_path)) == 2
    with pytest.raises(RtbenchError, match="which object is meant"):
        tasks_of(two.replace("  means: {object: {tags: [round]}}\n", ""), tmp_path)


words = st.sampled_from(("red", "round", "digit", "soft"))
things = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.builds(
        lambda tags, value: Toy(("toy",), tuple(tags), value), st.sets(words), st.none() | st.integers(0, 4)
    ),
    min_size=1,
)
references = st.builds(
    Reference,
    tags=st.sets(words, max_size=2).map(tuple),
    without=st.sets(words, max_size=2).map(tuple),
    value=st.none() | st.integers(0, 4),
)


@given(things, references, references)
def test_saying_more_never_fits_more(present, one, other):
    both = Reference(
        tags=(*one.tags, *other.tags), without=(*one.without, *other.without), value=one.value or other.value
    )
    for thing in present.values():
        if both.fits(thing):
            assert set(one.tags) <= set(thing.tags)
            assert other.model_copy(update={"value": None}).fits(thing)
        assert one.fits(thing) == Reference(tags=one.tags, value=one.value).fits(thing) * (
            not set(one.without) & set(thing.tags)
        )


@given(things, references)
def test_the_smallest_and_the_largest_are_among_what_fits(present, reference):
    fitting = reference.candidates(present)
    values = [present[name].value for name in fitting if present[name].value is not None]
    for extreme, best in (("smallest", min), ("largest", max)):
        found = reference.model_copy(update={"extreme": extreme}).candidates(present)
        assert set(found) <= set(fitting)
        if values:
            assert {present[name].value for name in found} == {best(values)}
        else:
            assert found == fitting


@given(st.sampled_from(sorted(SIDES)), st.lists(st.sampled_from("bcdef"), unique=True))
def test_a_side_is_compared_with_each_of_the_others(extreme, others):
    layout = Reference(extreme=extreme).layout("a", others)
    predicate, other_first = SIDES[extreme]
    assert layout == tuple((predicate, *((other, "a") if other_first else ("a", other))) for other in others)
    assert Reference(extreme=extreme).spatial
    assert not Reference(tags=("red",), extreme="smallest").spatial


def test_what_lies_between_is_not_one_of_the_two():
    between = Reference(tags=("movable",), between=("left", "b")).bound({"left": "a"})
    assert between.between == ("a", "b")
    assert between.candidates({name: Toy() for name in "abc"}) == ("c",)
    assert between.layout("c", ()) == (("between", "c", "a", "b"),)

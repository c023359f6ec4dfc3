"""Episode lists: balanced at every length, only ever appended to, the same everywhere."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtbench.core.errors import ContentError, RtbenchError, UnknownNameError
from rtbench.task import library as library_module
from rtbench.task.expand import HELD_OUT
from rtbench.task.library import BUNDLED
from rtbench.task.suite import Axis, Suite, SuiteEntry, SuiteError, draw, episodes, held_out, resolve

SUITES = {name: BUNDLED.suite(name) for name in ("seen", "novel", "emergent")}
SEEN, NOVEL, EMERGENT = SUITES.values()
PLAYED = {name: episodes(suite) for name, suite in SUITES.items()}
CATALOGUE = SEEN.catalogue
TASKS, OBJECTS = CATALOGUE.tasks, CATALOGUE.objects
MOVABLE = {name for name, o in OBJECTS.items() if o.set == "seen" and "movable" in o.tags}
TURNS = SEEN.entry.axes["seen"].skills
seeds = st.integers(0, 2**31 - 1)
few = settings(max_examples=20, deadline=None)
MINE = """
mine:
  summary: A short one.
  split: seen
  rounds: 3
  axes:
    mine: {skills: {pick: 2, bring: 1}}
"""


def weighted(turns: dict[str, int]) -> Suite:
    return resolve(SEEN.entry.model_copy(update={"axes": {"seen": Axis(skills=turns)}}), CATALOGUE)


@few
@given(rounds=st.integers(1, 4), more=st.integers(1, 4), seed=seeds, cut=st.integers(1, 80))
def test_more_episodes_only_append(rounds, more, seed, cut):
    for suite in (SEEN, NOVEL):
        short = episodes(suite, rounds=rounds, seed=seed)
        long = episodes(suite, rounds=rounds + more, seed=seed)
        assert len(short) == rounds * sum(lane.turns for lane in suite.lanes)
        assert long[: len(short)] == short
        assert episodes(suite, rounds=rounds, limit=cut, seed=seed) == short[:cut]


@few
@given(turns=st.dictionaries(st.sampled_from(sorted(TURNS)), st.integers(1, 3), min_size=1), seed=seeds)
def test_every_beginning_is_balanced(turns, seed):
    suite = weighted(turns)
    played = episodes(suite, rounds=9, seed=seed)
    skills, tasks = Counter(), Counter()
    for number, episode in enumerate(played):
        skills[episode.skill] += 1
        tasks[episode.task] += 1
        rounds = number // sum(turns.values())
        for skill, count in turns.items():
            assert rounds * count <= skills[skill] <= (rounds + 1) * count
        counts = [tasks[task.id] for task in suite.tasks() if task.skill == episode.skill]
        assert max(counts) - min(counts) <= 1, "each task once before any twice"


@few
@given(seed=seeds, rounds=st.integers(1, 3), name=st.sampled_from(("novel", "emergent")))
def test_axes_take_turns(seed, rounds, name):
    suite = SUITES[name]
    axes = Counter(e.axis for e in episodes(suite, rounds=rounds, seed=seed))
    for axis in suite.entry.axes:
        assert axes[axis] == rounds * sum(lane.turns for lane in suite.lanes if lane.axis == axis)


@few
@given(seed=seeds, skills=st.sets(st.sampled_from(sorted(TURNS)), min_size=1), data=st.data())
def test_choosing_skills_or_axes_leaves_their_episodes_as_they_are(seed, skills, data):
    whole = episodes(SEEN, rounds=4, seed=seed)
    assert episodes(SEEN, rounds=4, seed=seed, skills=skills) == [e for e in whole if e.skill in skills]
    axes = data.draw(st.sets(st.sampled_from(sorted(NOVEL.entry.axes)), min_size=1, max_size=3))
    whole = episodes(NOVEL, rounds=2, seed=seed)
    assert episodes(NOVEL, rounds=2, seed=seed, axes=axes) == [e for e in whole if e.axis in axes]


def test_keys_are_unique_and_seeds_differ():
    played = [e for seed in (0, 1) for e in episodes(SEEN, rounds=90, seed=seed)]
    assert len({e.key for e in played}) == len({(e.task, e.seed) for e in played}) == len(played)
    for all_of_them in PLAYED.values():
        assert len({e.key for e in all_of_them}) == len(all_of_them)
    orders = [[e.task for e in episodes(SEEN, rounds=5, seed=seed)] for seed in range(4)]
    assert all(a != b for a, b in itertools.combinations(orders, 2))


@pytest.mark.parametrize("name", ["novel", "emergent"])
def test_every_axis_has_enough_episodes_and_all_its_tasks_can_come(name):
    counts = Counter(e.axis for e in PLAYED[name])
    assert counts.keys() == SUITES[name].entry.axes.keys()
    assert min(counts.values()) >= 30


@pytest.mark.parametrize("name", ["novel", "emergent"])
@pytest.mark.parametrize("rounds", [1, 3, 10])
def test_every_perturbed_episode_has_its_twin_in_the_run(name, rounds):
    suite = SUITES[name]
    played = {e.key: e for e in episodes(suite, rounds=rounds)}
    for episode in played.values():
        of = suite.entry.axes[episode.axis].of
        assert bool(of) == bool(episode.twin)
        if of:
            twin = played.get(episode.twin) or draw(suite, TASKS[episode.task], episode.seed, of)
            assert (twin.key, twin.task, twin.seed) == (episode.twin, episode.task, episode.seed)
            assert (twin.axis, twin.variant) == (of, "")
    if rounds == 10:
        assert {e.twin for e in played.values()} - {""} <= played.keys()


@pytest.mark.parametrize("name", ["novel", "emergent"])
def test_twins_differ_by_what_their_axis_says_alone(name):
    suite = SUITES[name]
    for episode in PLAYED[name]:
        if not episode.twin:
            continue
        axis = suite.entry.axes[episode.axis]
        twin = draw(suite, TASKS[episode.task], episode.seed, axis.of)
        few_of_both, more = sorted((episode.objects, twin.objects), key=len)
        assert more[: len(few_of_both)] == few_of_both
        assert axis.distractors is not None or len(more) == len(few_of_both)
        assert axis.wordings or episode.instruction == twin.instruction
        assert bool(axis.variants) == bool(episode.variant)


def test_distractors_are_as_many_as_the_axis_says():
    counts = {axis: set() for axis in NOVEL.entry.axes}
    for episode in episodes(NOVEL, rounds=30):
        counts[episode.axis].add(len(episode.objects) - len(TASKS[episode.task].present))
    assert counts["distractors/0"] == {0}
    assert counts["distractors/2-5"] == {2, 3, 4, 5}
    assert counts["distractors/9"] == counts["distractors/9_hidden"] == {9}


def test_the_base_of_every_twin_is_seen_and_the_rest_is_not():
    seen = {task.id for task in SEEN.tasks()}
    for suite in (NOVEL, EMERGENT):
        bases = {axis.of for axis in suite.entry.axes.values()} - {""}
        for name in suite.entry.axes:
            own = {e.split for e in PLAYED[suite.name] if e.axis == name}
            assert own == ({"seen"} if name in bases else {suite.entry.split})
        for base in bases:
            assert {task.id for task in suite.tasks(base)} <= seen


def test_what_is_held_out_is_played_as_novel_only():
    tasks = {task.id for task in held_out(CATALOGUE)}
    assert tasks == {task.id for task in TASKS.values() if task.group == HELD_OUT} == {
        task.id for task in NOVEL.tasks("unseen_instructions")
    }  # fmt: skip
    assert tasks.isdisjoint(task.id for suite in (SEEN, EMERGENT) for task in suite.tasks())
    assert {e.skill for e in PLAYED["novel"] if e.axis == "unseen_instructions"} >= {
        "pick", "move_near", "place_upright", "knock_over", "place_into", "pick_from",
    }  # fmt: skip


def spoken(text: str) -> set[str]:
    """Objects that a text names, the longest name first, so that 'orange can' is no orange."""
    found = set()
    seen = {name: thing for name, thing in OBJECTS.items() if thing.set == "seen"}
    for name in sorted(seen, key=lambda n: -len(seen[n].names[0])):
        words = f" {seen[name].names[0]} "
        if words in f" {text} ":
            found.add(name)
            text = f" {text} ".replace(words, " # ")
    return found


@pytest.mark.parametrize("name", SUITES)
def test_episodes_are_what_their_tasks_say(name):
    suite = SUITES[name]
    for episode in PLAYED[name]:
        task, axis = TASKS[episode.task], suite.entry.axes[episode.axis]
        others = episode.objects[len(task.present) :]
        low, high = task.start.distractors if axis.distractors is None else axis.distractors
        assert episode.objects[: len(task.present)] == (*task.objects, *task.foils)
        assert len(set(episode.objects)) == len(episode.objects)
        assert low <= len(others) <= high
        assert set(others) <= set(CATALOGUE.bystanders(task))
        assert axis.wordings or episode.instruction in task.templates
        assert (episode.skill, episode.scene, episode.horizon) == (task.skill, task.scene, task.horizon)
        assert (episode.suite, episode.split) == (name, axis.split or suite.entry.split)


def test_seen_instructions_name_their_objects():
    for episode in episodes(SEEN, rounds=40, skills=["pick", "move_near", "place_into", "bring"]):
        assert spoken(episode.instruction) == set(TASKS[episode.task].objects), episode


def test_everything_that_is_drawn_does_vary():
    played = episodes(SEEN, rounds=100, skills=["pick"])
    assert len({e.instruction for e in played}) >= 50
    assert {name for e in played for name in e.objects[1:]} >= MOVABLE
    task = TASKS["pick/apple-v0"]
    drawn = [draw(SEEN, task, seed).objects for seed in range(20)]
    assert len(set(drawn)) >= 15
    assert {len(objects) for objects in drawn} == {3, 4, 5}


@dataclass(frozen=True)
class Toy:
    names: tuple[str, ...]
    tags: tuple[str, ...] = ("movable",)
    value: int | None = None
    set: str = "seen"


def test_distractors_never_share_the_targets_words():
    with_twin = replace(CATALOGUE, objects={**OBJECTS, "second_apple": Toy(("red apple", "apple"))})
    assert "second_apple" not in with_twin.bystanders(TASKS["pick/apple-v0"])
    assert "second_apple" in with_twin.bystanders(TASKS["pick/sponge-v0"])
    suite = replace(SEEN, catalogue=with_twin)
    assert any("second_apple" in draw(suite, TASKS["pick/sponge-v0"], s).objects for s in range(200))


def test_distractors_never_fit_a_description():
    task = TASKS["categories/pick_fruit_apple-v0"]
    others = CATALOGUE.bystanders(task)
    assert {"orange", "lemon", "lime"}.isdisjoint(others)
    assert "pepsi_can" in others
    every = TASKS["counting/all_fruit_into_bowl_white_bowl-v0"]
    assert not any("fruit" in OBJECTS[name].tags for name in CATALOGUE.bystanders(every))


def test_distractors_belong_to_the_scene():
    for group, own in (("environment_sink", "sink"), ("environment_desk", "desk"), ("realistic", "sink")):
        for task in (t for t in TASKS.values() if t.group == group):
            assert {OBJECTS[name].set for name in CATALOGUE.bystanders(task)} == {own}


def test_few_objects_make_few_distractors():
    few_things = {name: OBJECTS[name] for name in ("apple", "sponge")}
    suite = replace(SEEN, catalogue=replace(CATALOGUE, objects=few_things))
    assert draw(suite, TASKS["pick/apple-v0"], 0).objects == ("apple", "sponge")


def test_canonical_wording_on_request():
    for episode in episodes(EMERGENT, rounds=5, axes=["english"]):
        assert episode.instruction == TASKS[episode.task].templates[0]
    german = CATALOGUE.wordings["german"]
    for episode in episodes(EMERGENT, rounds=5, axes=["languages/german"]):
        assert episode.language == "de"
        assert episode.instruction in german.phrases[episode.task]


def test_another_process_draws_the_same():
    code = (
        "from rtbench.task import suite; from rtbench.task.library import BUNDLED;"
        "print(*(e.key for name in ('seen', 'novel', 'emergent')"
        " for e in suite.episodes(BUNDLED.suite(name), rounds=1, seed=5)));"
        "import sys; assert 'mujoco' not in sys.modules"
    )
    here = " ".join(e.key for suite in SUITES.values() for e in episodes(suite, rounds=1, seed=5))
    for hash_seed in ("1", "2"):
        root = str(Path(library_module.__file__).parents[2])
        env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": root}
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == here


def test_a_suite_of_the_users_own_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(MINE)
    played = episodes(BUNDLED.suite(str(path)))
    assert Counter(e.skill for e in played) == {"pick": 6, "bring": 3}
    assert {e.suite for e in played} == {"mine"}
    path.write_text(MINE.replace("1}}", "1}, tasks: [pick/apple-v0, bring/apple-v0]}"))
    assert {e.task for e in episodes(BUNDLED.suite(str(path)))} == {"pick/apple-v0", "bring/apple-v0"}


@pytest.mark.parametrize(
    ("old", "new", "error", "fragments"),
    [
        ("pick: 2", "pik: 2", UnknownNameError, ["mine.yaml: mine: axes.mine", "skill 'pik'", "'pick'"]),
        ("pick: 2", "pick: 0", ContentError, ["mine", "skills.pick", "greater than or equal to 1"]),
        ("rounds: 3", "round: 3", ContentError, ["unknown key 'round'", "'rounds'"]),
        ("split: seen", "split: sen", ContentError, ["split", "'seen'"]),
        ("1}}", "1}, tasks: [pick/aple-v0]}", UnknownNameError, ["axes.mine", "'pick/apple-v0'"]),
        ("1}}", "1}, tasks: [pick/apple-v0]}", SuiteError, ["axes.mine", "no task of skill 'bring'"]),
        ("1}}", "1}, turns: 2}", ContentError, ["either 'skills'", "'turns'"]),
        ("1}}", "1}, distractors: [5, 2]}", ContentError, ["fewest, most"]),
        ("1}}", "1}, groups: [held_ut]}", UnknownNameError, ["group 'held_ut'", "'held_out'"]),
        ("1}}", "1}, variants: [hiden]}", UnknownNameError, ["variant 'hiden'", "'hidden'"]),
        ("1}}", "1}, wordings: [germn]}", UnknownNameError, ["wording 'germn'", "'german'"]),
        ("1}}", "1}, of: yours}", UnknownNameError, ["axes.mine.of", "axis 'yours'"]),
        ("1}}", "1}, of: mine, groups: [held_out]}", ContentError, ["'groups' has no meaning"]),
        ("1}}", "1}, of: mine}", SuiteError, ["'mine' is itself perturbed"]),
        ("mine:", "other: {}\nmine:", ContentError, ["other"]),
    ],
)
def test_bad_suites_name_file_key_and_remedy(tmp_path, old, new, error, fragments):
    path = tmp_path / "mine.yaml"
    path.write_text(MINE.replace(old, new, 1))
    with pytest.raises(error) as caught:
        BUNDLED.suite(str(path))
    for fragment in ["mine.yaml", *fragments]:
        assert fragment in str(caught.value)


def test_a_file_holds_one_suite(tmp_path):
    path = tmp_path / "two.yaml"
    path.write_text(MINE + MINE.replace("mine:", "yours:"))
    with pytest.raises(ContentError, match="found mine, yours"):
        BUNDLED.suite(str(path))


def test_unknown_names_suggest():
    with pytest.raises(UnknownNameError, match="Did you mean 'seen'"):
        BUNDLED.suite("sene")
    with pytest.raises(ContentError, match="no such file"):
        BUNDLED.suite("./seen.yaml")
    with pytest.raises(UnknownNameError, match="Did you mean 'pick'"):
        episodes(SEEN, skills=["pik"])


@pytest.mark.parametrize(
    "numbers",
    [{"rounds": 0}, {"limit": 0}, {"limit": -1}, {"seed": -1}, {"seed": 2**31}, {"rounds": 10**6}],
)
def test_numbers_out_of_range_say_the_range(numbers):
    ((name, value),) = numbers.items()
    with pytest.raises(RtbenchError, match=rf"{name} is {value}; allowed \d+ to \d+"):
        episodes(SEEN, **numbers)


def test_suite_entries_are_listed():
    entries = BUNDLED.suites()
    assert all(isinstance(entry, SuiteEntry) for entry in entries.values())
    assert {name: entry.split for name, entry in entries.items()} == {
        **{name: name for name in SUITES},
        "simpler": "seen",
        "simpler_variants": "novel",
    }


def test_a_task_comes_home_to_the_first_suite_that_plays_it():
    assert BUNDLED.home(TASKS["pick/apple-v0"]).entry.split == "seen"
    for name, expected in (
        ("color/sky_cup-v0", "emergent"),
        ("unseen_objects_easy/pick_easy_oreo-v0", "novel"),
    ):
        assert BUNDLED.home(TASKS[name]).name == expected


def test_all_suites_play_all_tasks():
    played = {task.id for name in BUNDLED.suites() for task in BUNDLED.suite(name).tasks()}
    assert set(TASKS) == played
    groups = {path.stem for path in BUNDLED.find("tasks/requests", "math.yaml").parent.glob("*.yaml")}
    assert {task.group for task in TASKS.values()} == {"", HELD_OUT, *groups}

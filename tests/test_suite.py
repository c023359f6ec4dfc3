"""Episode lists: balanced at every length, only ever appended to, the same everywhere."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtbench import catalogue
from rtbench.errors import ContentError, RtbenchError, UnknownNameError
from rtbench.skill import Setting
from rtbench.spec import Episode
from rtbench.suite import Suite, SuiteEntry, SuiteError, draw, episodes, resolve

SEEN = catalogue.load_suite("seen")
TASKS = {task.id: task for tasks in SEEN.tasks.values() for task in tasks}
MOVABLE = {name for name, thing in SEEN.objects.items() if "movable" in thing.tags}
seeds = st.integers(0, 2**31 - 1)
few = settings(max_examples=20, deadline=None)
MINE = """
mine:
  summary: A short one.
  split: seen
  axis: seen
  rounds: 3
  skills: {pick: 2, bring: 1}
"""


def weighted(turns: dict[str, int]) -> Suite:
    entry = SEEN.entry.model_copy(update={"skills": turns})
    return resolve(entry, TASKS, SEEN.objects, SEEN.scenes)


def with_objects(*names: str) -> dict[str, Setting]:
    return {"office_kitchen": replace(SEEN.scenes["office_kitchen"], objects=names)}


@few
@given(per_skill=st.integers(1, 12), more=st.integers(1, 12), seed=seeds, cut=st.integers(1, 150))
def test_more_episodes_only_append(per_skill, more, seed, cut):
    short = episodes(SEEN, per_skill=per_skill, seed=seed)
    long = episodes(SEEN, per_skill=per_skill + more, seed=seed)
    assert len(short) == 10 * per_skill
    assert long[: len(short)] == short
    assert episodes(SEEN, per_skill=per_skill, limit=cut, seed=seed) == short[:cut]


@few
@given(turns=st.dictionaries(st.sampled_from(sorted(SEEN.tasks)), st.integers(1, 3), min_size=1), seed=seeds)
def test_every_beginning_is_balanced(turns, seed):
    suite = weighted(turns)
    played = episodes(suite, per_skill=9, seed=seed)
    skills, tasks = Counter(), Counter()
    for number, episode in enumerate(played):
        skills[episode.skill] += 1
        tasks[episode.task] += 1
        rounds = number // sum(turns.values())
        for skill, count in turns.items():
            assert rounds * count <= skills[skill] <= (rounds + 1) * count
        counts = [tasks[task.id] for task in suite.tasks[episode.skill]]
        assert max(counts) - min(counts) <= 1, "each task once before any twice"


@few
@given(seed=seeds, skills=st.sets(st.sampled_from(sorted(SEEN.tasks)), min_size=1))
def test_choosing_skills_leaves_their_episodes_as_they_are(seed, skills):
    whole = episodes(SEEN, per_skill=4, seed=seed)
    assert episodes(SEEN, per_skill=4, seed=seed, skills=skills) == [e for e in whole if e.skill in skills]


def test_keys_are_unique_and_seeds_differ():
    played = [e for seed in (0, 1) for e in episodes(SEEN, per_skill=100, seed=seed)]
    assert len({e.key for e in played}) == len(played) == 2000
    assert len({(e.task, e.seed) for e in played}) == 2000
    orders = [[e.task for e in episodes(SEEN, per_skill=5, seed=seed)] for seed in range(4)]
    assert all(a != b for a, b in itertools.combinations(orders, 2))


def spoken(text: str) -> set[str]:
    """Objects that a text names, the longest name first, so that 'orange can' is no orange."""
    found = set()
    for name in sorted(SEEN.objects, key=lambda n: -len(SEEN.objects[n].names[0])):
        words = f" {SEEN.objects[name].names[0]} "
        if words in f" {text} ":
            found.add(name)
            text = f" {text} ".replace(words, " # ")
    return found


def test_episodes_are_what_their_tasks_say():
    for episode in episodes(SEEN, per_skill=60):
        task = TASKS[episode.task]
        others = episode.objects[len(task.objects) :]
        low, high = task.start.distractors
        assert episode.objects[: len(task.objects)] == task.objects
        assert len(set(episode.objects)) == len(episode.objects)
        assert low <= len(others) <= high
        assert set(others) <= MOVABLE
        assert episode.instruction in task.templates
        assert spoken(episode.instruction) == set(task.objects)
        assert (episode.skill, episode.scene, episode.horizon) == (task.skill, task.scene, task.horizon)
        assert (episode.suite, episode.split, episode.axis) == ("seen", "seen", "seen")
        assert Episode.from_dict(vars(episode)) == episode


def test_everything_that_is_drawn_does_vary():
    played = episodes(SEEN, per_skill=100, skills=["pick"])
    assert {len(e.objects) for e in played} == {3, 4, 5}
    assert len({e.instruction for e in played}) >= 50
    assert Counter(name for e in played for name in e.objects[1:]).keys() == MOVABLE
    task = TASKS["pick/apple-v0"]
    assert len({draw(SEEN, task, seed).objects for seed in range(20)}) >= 15


def test_distractors_never_share_the_targets_words():
    class Twin:
        names, tags = ("red apple", "apple"), ("movable",)

    scenes = with_objects(*SEEN.scenes["office_kitchen"].objects, "second_apple")
    suite = replace(SEEN, objects={**SEEN.objects, "second_apple": Twin()}, scenes=scenes)
    drawn = [draw(suite, TASKS["pick/apple-v0"], seed).objects for seed in range(200)]
    assert not any("second_apple" in objects for objects in drawn)
    assert any("second_apple" in draw(suite, TASKS["pick/sponge-v0"], s).objects for s in range(200))


def test_few_objects_make_few_distractors():
    episode = draw(replace(SEEN, scenes=with_objects("apple", "sponge")), TASKS["pick/apple-v0"], 0)
    assert episode.objects == ("apple", "sponge")


def test_canonical_wording_on_request():
    entry = SEEN.entry.model_copy(update={"instructions": "canonical"})
    for episode in episodes(replace(SEEN, entry=entry), per_skill=5):
        assert episode.instruction == TASKS[episode.task].templates[0]


def test_another_process_draws_the_same():
    code = (
        "from rtbench import catalogue, suite;"
        "print(*(e.key for e in suite.episodes(catalogue.load_suite('seen'), per_skill=3, seed=5)));"
        "import sys; assert 'mujoco' not in sys.modules"
    )
    here = " ".join(e.key for e in episodes(SEEN, per_skill=3, seed=5))
    for hash_seed in ("1", "2"):
        root = str(Path(catalogue.__file__).parents[1])
        env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": root}
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == here


def test_a_suite_of_the_users_own_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(MINE)
    played = episodes(catalogue.load_suite(str(path)))
    assert Counter(e.skill for e in played) == {"pick": 6, "bring": 3}
    assert {e.suite for e in played} == {"mine"}
    path.write_text(MINE + "  tasks: [pick/apple-v0, bring/apple-v0]\n")
    assert {e.task for e in episodes(catalogue.load_suite(str(path)))} == {"pick/apple-v0", "bring/apple-v0"}


@pytest.mark.parametrize(
    ("old", "new", "error", "fragments"),
    [
        ("pick: 2", "pik: 2", UnknownNameError, ["mine.yaml: mine: skills", "skill 'pik'", "'pick'"]),
        ("pick: 2", "pick: 0", ContentError, ["mine", "skills.pick", "greater than or equal to 1"]),
        ("rounds: 3", "round: 3", ContentError, ["unknown key 'round'", "'rounds'"]),
        ("split: seen", "split: sen", ContentError, ["split", "'seen'"]),
        ("rounds: 3", "rounds: 3\n  tasks: [pick/aple-v0]", UnknownNameError, ["'pick/apple-v0'"]),
        ("rounds: 3", "rounds: 3\n  tasks: [pick/apple-v0]", SuiteError, ["none of skill 'bring'"]),
        ("mine:", "other: {}\nmine:", ContentError, ["other"]),
    ],
)
def test_bad_suites_name_file_key_and_remedy(tmp_path, old, new, error, fragments):
    path = tmp_path / "mine.yaml"
    path.write_text(MINE.replace(old, new, 1))
    with pytest.raises(error) as caught:
        catalogue.load_suite(str(path))
    for fragment in ["mine.yaml", *fragments]:
        assert fragment in str(caught.value)


def test_a_file_holds_one_suite(tmp_path):
    path = tmp_path / "two.yaml"
    path.write_text(MINE + MINE.replace("mine:", "yours:"))
    with pytest.raises(ContentError, match="found mine, yours"):
        catalogue.load_suite(str(path))


def test_unknown_names_suggest():
    with pytest.raises(UnknownNameError, match="Did you mean 'seen'"):
        catalogue.load_suite("sene")
    with pytest.raises(ContentError, match="no such file"):
        catalogue.load_suite("./seen.yaml")
    with pytest.raises(UnknownNameError, match="Did you mean 'pick'"):
        episodes(SEEN, skills=["pik"])


@pytest.mark.parametrize(
    "numbers",
    [{"per_skill": 0}, {"limit": 0}, {"limit": -1}, {"seed": -1}, {"seed": 2**31}, {"per_skill": 10**6}],
)
def test_numbers_out_of_range_say_the_range(numbers):
    ((name, value),) = numbers.items()
    with pytest.raises(RtbenchError, match=rf"{name} is {value}; allowed \d+ to \d+"):
        episodes(SEEN, **numbers)


def test_suite_entries_are_listed():
    entries = catalogue.load_suite_entries()
    assert isinstance(entries["seen"], SuiteEntry)
    assert len(entries["seen"].skills) == 10

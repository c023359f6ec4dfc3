"""Control arms: what they change, what they must not, and the score that comes of them."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.analysis.language_ignorance import ignorance
from rtbench.core.episode import Outcome
from rtbench.core.errors import UnknownNameError
from rtbench.core.fault import Fault
from rtbench.core.importing import load_object
from rtbench.policy.baselines import NoopPolicy
from rtbench.result.record import Record
from rtbench.task.instruction_ablation import ARMS, AblationError, controlled, shuffled
from rtbench.task.task import Goal, Start, Task
from tests.helpers.paths import HELPERS
from tests.helpers.runs import play

make_episode = load_object(f"{HELPERS / 'fake_env.py'}:episode")


def task(name, *goal):
    return Task(name, "pick", "line", goal, Goal("lifted", goal), Start(), (name,), 9)


TASKS = {name: task(name, goal) for name, goal in (("a", "x"), ("b", "y"), ("c", "z"), ("also_a", "x"))}
TEXTS = {"a": "pick the x", "b": "pick the y", "c": "pick the z", "also_a": "take the x"}


def said(*names, language="en"):
    return [
        make_episode(seed, task=name, instruction=TEXTS[name], language=language)
        for seed, name in enumerate(names)
    ]


@pytest.mark.parametrize("arm", ARMS)
def test_only_the_instruction_changes_and_the_twin_is_named(arm):
    episodes = said("a", "b", "c")
    for before, after in zip(episodes, controlled(episodes, arm, TASKS), strict=True):
        assert after.instruction != before.instruction
        assert (after.arm, after.twin) == (arm, before.key)
        assert replace(after, instruction=before.instruction, arm="", twin=before.twin) == before
    assert controlled(episodes, arm, TASKS) == controlled(episodes, arm, TASKS)


@given(st.lists(st.tuples(st.sampled_from(sorted(TASKS)), st.sampled_from(["en", "de"])), min_size=1))
def test_a_swapped_instruction_asks_for_something_else_in_the_same_language(drawn):
    episodes = [
        make_episode(seed, task=name, instruction=TEXTS[name], language=language)
        for seed, (name, language) in enumerate(drawn)
    ]
    goals = {(TEXTS[name], language): TASKS[name].goal for name, language in drawn}
    others = {tongue: {goal for (_, said), goal in goals.items() if said == tongue} for _, tongue in drawn}
    if any(len(found) == 1 for found in others.values()):
        with pytest.raises(AblationError, match="no other task"):
            controlled(episodes, "swapped", TASKS)
        return
    for before, after in zip(episodes, controlled(episodes, "swapped", TASKS), strict=True):
        assert goals[after.instruction, after.language] != TASKS[before.task].goal


def test_words_that_two_tasks_share_are_not_swapped_in():
    episodes = said("a", "b")
    both = [*episodes, replace(episodes[1], task="also_a", seed=7)]  # "pick the y" for the goal of a
    with pytest.raises(
        AblationError, match="no other task with an instruction in 'en' is there to swap with a"
    ):
        controlled(both, "swapped", TASKS)


def test_swapping_draws_from_all_others():
    episodes = said(*"abc" * 40)
    given_to_a = Counter(e.instruction for e in controlled(episodes, "swapped", TASKS) if e.task == "a")
    assert set(given_to_a) == {"pick the y", "pick the z"}
    assert min(given_to_a.values()) >= 8


@given(st.lists(st.sampled_from(["pick", "the", "x", "near"]), min_size=1, max_size=8), st.integers(0, 9))
def test_shuffling_keeps_the_words_and_changes_their_order(words, seed):
    text = " ".join(words)
    found = shuffled(text, "en", seed)
    assert Counter(found.split(" ")) == Counter(words)
    assert (found != text) == (len(set(words)) > 1)
    assert found == shuffled(text, "en", seed)


def test_languages_without_blanks_are_shuffled_by_characters():
    assert sorted(shuffled("拿起苹果", "zh", 1)) == sorted("拿起苹果")
    assert shuffled("拿起苹果", "zh-Hans", 1) != "拿起苹果"
    assert shuffled("dámelo", "es", 1) == "dámelo"


def test_an_arm_of_an_arm_and_an_unknown_arm_are_refused():
    blank = controlled(said("a"), "blank", TASKS)
    with pytest.raises(AblationError, match="is of the blank arm already"):
        controlled(blank, "shuffled", TASKS)
    with pytest.raises(UnknownNameError, match=r"unknown control arm 'blnk'.*'blank'"):
        controlled(said("a"), "blnk", TASKS)


def record(episode, end=True):
    if end is None:
        return Record(episode, "rtbench", error=Fault("policy", "broken"))
    return Record(episode, "rtbench", Outcome(end, end, end, 3, "on_time", float(end), {}))


def test_the_score_counts_what_was_solved_and_still_is():
    episodes = said(*"abcabcabca")
    control = controlled(episodes, "blank", TASKS)
    with_words = [True] * 6 + [False] * 2 + [True, None]
    without = [True] * 2 + [False] * 4 + [True, False] + [None, True]
    found = ignorance(
        [record(e, end) for e, end in zip(episodes, with_words, strict=True)],
        [record(e, end) for e, end in zip(reversed(control), reversed(without), strict=True)],
    )
    assert (found.kept, found.solved, found.drop.pairs, found.drop.errors) == (2, 6, 8, 2)
    assert found.score == pytest.approx(1 / 3, abs=1e-6)
    assert found.interval == pytest.approx([0.0967714, 0.7000067], abs=1e-6)
    assert (found.drop.successes, found.drop.gained, found.drop.lost) == (3, 1, 4)
    assert found.drop.drop == pytest.approx(3 / 8)


def test_what_could_not_be_changed_or_solved_gives_no_score():
    (episode,) = said("a")
    word = replace(episode, instruction="help")
    found = ignorance([record(word)], [record(controlled([word], "shuffled", TASKS)[0])])
    assert (found.score, found.unchanged, found.drop.pairs) == (None, 1, 0)
    failed = ignorance([record(episode, end=False)], [record(controlled([episode], "blank", TASKS)[0])])
    assert (failed.score, failed.solved, failed.drop.gained) == (None, 0, 1)
    assert ignorance([], [record(controlled([episode], "blank", TASKS)[0])]).drop.pairs == 0


def test_an_arm_is_a_run_of_its_own_that_finds_its_truth(tmp_path):
    from rtbench.cli.instruction_ablation import chance_rates, original_of

    episodes = said(*"abc")
    truth = play(tmp_path, episodes, workers=1)
    control = play(tmp_path, controlled(episodes, "shuffled", TASKS), workers=1)
    assert control.path.parent == truth.path.parent
    assert control.path != truth.path
    assert (truth.meta.arm, control.meta.arm) == ("", "shuffled")
    assert original_of(control).path == truth.path
    assert original_of(truth) is None
    assert ignorance(truth.records, control.records).drop.pairs == 3
    assert control.summary.drops == {}
    assert chance_rates(truth) == {}
    play(tmp_path, episodes, NoopPolicy(), workers=1)
    (tmp_path / "NoopPolicy").rename(tmp_path / "noop")
    assert chance_rates(truth) == {"noop": (0, 3)}


@pytest.mark.parametrize("name", ["pick/apple-v0", "move_near/apple_sponge-v0", "open_drawer/top_drawer-v0"])
def test_the_scene_of_an_arm_is_that_of_its_twin_to_the_last_bit(kitchen, episode_of, name):
    from rtbench.task.library import BUNDLED

    episode = episode_of(name, 3)
    other = episode_of("pick/coke_can-v0", 0)
    known = {e.task: BUNDLED.task(e.task) for e in (episode, other)}
    kitchen.begin(episode)
    expected = kitchen.state_hash()
    for arm in ARMS:
        told = controlled([episode, other], arm, known)[0]
        assert kitchen.begin(told).instruction == told.instruction
        assert kitchen.state_hash() == expected
    kitchen.begin(replace(episode, seed=4))
    assert kitchen.state_hash() != expected

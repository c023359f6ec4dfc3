"""What is new to whom: cards against episodes, on a small catalogue made up here."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rtbench.core.episode import Episode
from rtbench.core.errors import UnknownNameError
from rtbench.core.split import LEFT_OUT, NOVEL, SEEN, split_of
from rtbench.task.task import Goal, Start, Task
from rtbench.task.training_coverage import TrainedOn, coverage_of, load_coverage


@dataclass(frozen=True)
class Thing:
    set: str


THINGS = {name: Thing("seen") for name in ("apple", "sponge", "coke_can")} | {
    name: Thing("unseen_easy") for name in ("pear", "banana")
}


def task(skill, *objects, group="", foils=(), scene="kitchen"):
    return Task(
        id=f"{group or skill}/{'_'.join(objects) or 'all'}-v0",
        skill=skill,
        scene=scene,
        objects=objects,
        goal=Goal("lifted", objects[:1]),
        start=Start(distractors=(0, 4)),
        templates=(f"{skill} {' '.join(objects)}",),
        horizon=30,
        foils=foils,
        group=group,
    )


TASKS = {
    made.id: made
    for made in (
        task("pick", "apple"), task("pick", "sponge"), task("pick", "pear"),
        task("near", "apple", "sponge"), task("near", "sponge", "apple"), task("knock", "coke_can"),
        task("pick", "coke_can", group="held_out"), task("pick", "apple", "coke_can", group="colours"),
        task("near", "apple", "coke_can", foils=("pear",)), task("shut"),
        task("pick", "banana", scene="desk"),
    )
}  # fmt: skip
SKILLED = TrainedOn(skills=("pick", "near", "shut"), object_sets=("seen",), scenes=("kitchen",))


def episode(name="pick/apple-v0", extra=(), **changes):
    played = TASKS[name]
    fields = {
        "suite": "s", "split": "novel", "axis": "x", "skill": played.skill, "task": name,
        "scene": played.scene, "objects": (*played.present, *extra), "instruction": played.templates[0],
        "language": "en", "seed": 1, "variant": "", "horizon": 30,
    }  # fmt: skip
    return Episode(**{**fields, **changes})


def new(trained, *arguments, **changes):
    return coverage_of(trained, TASKS, THINGS).novelties(episode(*arguments, **changes))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pick/apple-v0", ()),
        ("near/sponge_apple-v0", ()),
        ("shut/all-v0", ()),
        ("pick/pear-v0", ("object pear",)),
        ("knock/coke_can-v0", ("skill knock",)),
        ("held_out/coke_can-v0", ("task held_out/coke_can-v0",)),
        ("colours/apple_coke_can-v0", ("task colours/apple_coke_can-v0",)),
        ("near/apple_coke_can-v0", ("object pear",)),
        ("pick/banana-v0", ("object banana", "scene desk")),
    ],
)
def test_skills_with_sets_and_scenes_cover_their_ordinary_tasks(name, expected):
    assert new(SKILLED, name) == expected


def test_groups_open_what_is_held_out():
    trained = SKILLED.model_copy(update={"groups": ("held_out",)})
    assert new(trained, "held_out/coke_can-v0") == ()
    assert new(trained, "colours/apple_coke_can-v0") == ("task colours/apple_coke_can-v0",)


def test_tasks_bring_their_parts_and_no_other_pairs():
    trained = TrainedOn(tasks=("pick/apple-v0", "near/sponge_apple-v0"))
    assert new(trained, "pick/apple-v0") == ()
    assert new(trained, "pick/sponge-v0") == ("task pick/sponge-v0",), "object and skill known, the pair not"
    assert new(trained, "near/apple_sponge-v0") == ("task near/apple_sponge-v0",)


@pytest.mark.parametrize(
    ("changes", "update", "expected"),
    [
        ({"language": "de", "instruction": "nimm"}, {}, "language de"),
        ({"language": "de", "instruction": "nimm"}, {"languages": ("en", "de")}, None),
        ({"variant": "cloth"}, {}, "variant cloth"),
        ({"variant": "cloth"}, {"variants": ("cloth",)}, None),
        ({"instruction": "fetch me the apple"}, {}, "wording"),
        ({"instruction": "fetch me the apple"}, {"paraphrases": True}, None),
        ({"instruction": "", "arm": "blank"}, {}, None),
        ({"extra": ("pear",)}, {}, None),
        ({"extra": ("pear",) * 5}, {}, "5 distractors"),
        ({"extra": ("pear",) * 5}, {"distractors": 5}, None),
        ({"extra": ("pear",)}, {"distractors": 0}, "1 distractors"),
    ],
)
def test_each_aspect_tells_and_a_card_can_claim_it(changes, update, expected):
    found = new(SKILLED.model_copy(update=update), **changes)
    assert found == ((expected,) if expected else ())


def test_a_task_that_is_gone_is_judged_by_all_that_was_there():
    found = new(SKILLED, task="pick/gone-v0", objects=("apple", "pear"))
    assert found == ("object pear",)
    assert new(SKILLED, task="pick/gone-v0", objects=("apple",)) == ("task pick/gone-v0",)


@given(
    st.sets(st.sampled_from(sorted(TASKS)), min_size=1),
    st.sets(st.sampled_from(sorted(TASKS))),
    st.sampled_from(sorted(TASKS)),
    st.sampled_from(["", "cloth"]),
)
def test_more_training_makes_nothing_new(some, more, name, variant):
    """An aspect that was known stays known, and what is trained on holds nothing new."""
    few = TrainedOn(tasks=tuple(sorted(some)))
    many = TrainedOn(tasks=tuple(sorted(some | more)), variants=("cloth",))
    before, after = new(few, name, variant=variant), new(many, name, variant=variant)
    assert bool(after) <= bool(before)
    if name in some:
        assert before == (("variant cloth",) if variant else ())
        assert after == ()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tasks": ("pick/aple-v0",)}, "card: unknown task 'pick/aple-v0'. Did you mean 'pick/apple-v0'"),
        ({"skills": ("pik",), "scenes": ("kitchen",)}, "unknown skill 'pik'. Did you mean 'pick'"),
        ({"objects": ("appel",)}, "unknown object 'appel'. Did you mean 'apple'"),
        ({"object_sets": ("unseen_esy",)}, "unknown object set 'unseen_esy'. Did you mean 'unseen_easy'"),
        ({"groups": ("heldout",)}, "unknown group 'heldout'. Did you mean 'held_out'"),
    ],
)
def test_names_that_nobody_has_are_refused(fields, message):
    with pytest.raises(UnknownNameError) as found:
        coverage_of(TrainedOn(**{"tasks": ("pick/apple-v0",), **fields}), TASKS, THINGS, where="card")
    assert message in str(found.value)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"about": "much"},
        {"skills": ("pick",)},
        {"tasks": ("a",), "languages": ("English!",)},
        {"tsks": ()},
    ],
)
def test_a_claim_that_says_nothing_is_refused(fields):
    with pytest.raises(ValidationError):
        TrainedOn(**fields)


def test_the_split_follows_the_card_and_else_the_suite():
    novel, seen, emergent = episode(), episode(split="seen"), episode(split="emergent")
    for played in (novel, seen, emergent):
        assert split_of(played, None) == played.split
    assert split_of(novel, ("object pear",)) == NOVEL
    assert split_of(seen, ("object pear",)) == NOVEL
    assert split_of(emergent, ("task x",)) == "emergent"
    assert split_of(seen, ()) == SEEN
    assert split_of(novel, ()) == split_of(emergent, ()) == LEFT_OUT
    assert split_of(novel, (), reference=True) == SEEN


def test_real_content_is_checked_to_the_scene():
    some = TrainedOn(skills=("pick",), scenes=("office_kitchn",))
    with pytest.raises(UnknownNameError, match=r"unknown scene 'office_kitchn'.*'office_kitchen'"):
        load_coverage(some)
    with pytest.raises(UnknownNameError, match="unknown variant 'no-such-thing'"):
        load_coverage(replace_scene(some, variants=("no-such-thing",)))


def replace_scene(trained, **update):
    return trained.model_copy(update={"scenes": ("office_kitchen",), **update})


def test_the_seen_suite_is_known_to_who_trained_on_its_skills():
    from rtbench.task.library import load_suite
    from rtbench.task.suite import episodes

    suite = load_suite("seen")
    trained = TrainedOn(skills=suite.skills, object_sets=("seen",), scenes=("office_kitchen",))
    coverage = load_coverage(trained)
    played = episodes(suite, rounds=1, axes=["seen"])
    assert [coverage.novelties(e) for e in played] == [()] * len(played)
    first = replace(played[0], language="ja")
    assert coverage.novelties(first) == ("language ja",)


def test_another_robot_is_new_unless_the_card_names_it():
    assert new(SKILLED, robot="google_robot") == ("robot google_robot",)
    assert new(SKILLED.model_copy(update={"robots": ("google_robot",)}), robot="google_robot") == ()
    assert new(SKILLED.model_copy(update={"robots": ("google_robot",)})) == ("robot panda_omron",)

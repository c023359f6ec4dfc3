"""The skills become RT-1's tasks, and a skill that cannot is refused with the place and the remedy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.core.errors import RtbenchError, UnknownNameError
from rtbench.task import instruction as language
from rtbench.task import yaml_loader
from rtbench.task.expand import HELD_OUT, expand
from rtbench.task.instruction import InstructionError
from rtbench.task.library import BUNDLED, Library
from rtbench.task.predicate import PREDICATES
from rtbench.task.skill import Setting, Skill, parse_goal
from rtbench.task.task import Goal

TASKS = BUNDLED.tasks()
THINGS = BUNDLED.things()
SETTINGS = BUNDLED.settings()
ORDINARY = [task for task in TASKS.values() if not task.group]


@dataclass(frozen=True)
class Toy:
    names: tuple[str, ...]
    tags: tuple[str, ...] = ("movable",)
    value: int | None = None
    set: str = "seen"


TOYS = {"apple": Toy(("apple",)), "7up_can": Toy(("7up can",)), "cup": Toy(("cup",), ("receptacle",))}
COUNTERS = ("counter", "side_counter")
SCENES = {"office_kitchen": Setting(COUNTERS, ("top_drawer",))}
GOOD = """
wave:
  version: 2
  scene: office_kitchen
  horizon: 30
  roles: {object: {tag: movable}}
  place: {object: counter}
  goal: {lifted: object}
  instructions: ["wave {object}", "wave {a object}"]
"""


def toys(text: str, tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return expand([("", skill) for skill in yaml_loader.read_file(path, Skill).values()], TOYS, SCENES)


def by_skill(name: str):
    return [task for task in ORDINARY if task.skill == name]


@pytest.mark.parametrize(
    ("skill", "count"),
    [("pick", 130), ("move_near", 337), ("place_upright", 7), ("knock_over", 7), ("open_drawer", 3),
     ("close_drawer", 3), ("place_into", 84), ("pick_from", 149), ("long_horizon", 9)],
)  # fmt: skip
def test_rt1s_skills_have_at_least_about_as_many_tasks_as_theirs(skill, count):
    asked = {task.templates[0] for task in by_skill(skill)}
    assert len(asked) == len(by_skill(skill)), "tasks differ in what is to be done, not only in wording"
    assert len(asked) >= count


def test_eight_skills_have_more_instructions_than_rt1():
    assert len({t.templates[0] for t in ORDINARY if t.skill not in ("drive", "bring")}) >= 744


def test_held_out_pairs_are_new_but_their_parts_are_not():
    held_out = [task for task in TASKS.values() if task.group == HELD_OUT]
    assert len(held_out) >= 53
    known = {(task.goal, str(task.start)) for task in ORDINARY}
    skills, players = {t.skill for t in ORDINARY}, {player for t in ORDINARY for player in t.cast.values()}
    for task in held_out:
        assert (task.goal, str(task.start)) not in known, task.id
        assert task.skill in skills
        assert players.issuperset(task.cast.values()), task.id


@pytest.mark.parametrize(
    ("task", "instruction", "goal"),
    [
        ("pick/coke_can-v0", "pick coke can", "lifted(coke_can)"),
        ("move_near/coke_can_green_rice_chip_bag-v0", "move coke can near green rice chip bag",
         ("all(near(coke_can, green_rice_chip_bag), on(coke_can, counter), released(coke_can),"
          " still(coke_can))")),
        ("place_upright/coke_can-v0", "place coke can upright",
         "all(upright(coke_can), on(coke_can, counter), released(coke_can))"),
        ("knock_over/redbull_can-v0", "knock redbull can over",
         "all(toppled(redbull_can), on(redbull_can, counter))"),
        ("open_drawer/top_drawer-v0", "open top drawer", "open(top_drawer)"),
        ("close_drawer/middle_drawer-v0", "close middle drawer", "closed(middle_drawer)"),
        ("place_into/apple_white_bowl-v0", "place apple into white bowl",
         "all(in(apple, white_bowl), released(apple))"),
        ("place_into/sponge_top_drawer-v0", "place sponge into top drawer",
         "all(in(sponge, top_drawer), released(sponge))"),
        ("pick_from/apple_white_bowl-v0", "pick apple from white bowl and place on counter",
         "all(out(apple, white_bowl), on(apple, counter), released(apple), still(apple))"),
        ("drive/side_counter-v0", "drive to the other counter", "at(side_counter)"),
        ("bring/apple-v0", "bring apple to the other counter",
         "all(on(apple, side_counter), released(apple), still(apple))"),
    ],
)  # fmt: skip
def test_canonical_wording_and_goal(task, instruction, goal):
    assert TASKS[task].templates[0] == instruction
    assert str(TASKS[task].goal) == goal


def test_starts_fit_the_task():
    assert TASKS["close_drawer/top_drawer-v0"].start.drawers == {"top_drawer": 0.2}
    into = TASKS["place_into/apple_bottom_drawer-v0"].start
    assert (into.place, into.drawers) == ({"apple": "counter"}, {"bottom_drawer": 0.24})
    out_of = TASKS["pick_from/apple_top_drawer-v0"].start
    assert (out_of.place, out_of.drawers) == ({"apple": "top_drawer"}, {"top_drawer": 0.24})
    assert TASKS["pick_from/apple_paper_bowl-v0"].start.place == {
        "apple": "paper_bowl",
        "paper_bowl": "counter",
    }
    assert TASKS["place_upright/pepsi_can-v0"].start.lying == ("pepsi_can",)
    assert TASKS["move_near/apple_orange-v0"].start.apart == (("apple", "orange"),)


def test_ids_are_unique_and_valid_for_gymnasium():
    gym_ids = {task.gym_id for task in TASKS.values()}
    assert len(gym_ids) == len(TASKS)
    for gym_id in gym_ids:
        assert re.fullmatch(r"rtbench/[A-Za-z0-9]+-v\d+", gym_id), gym_id
    assert TASKS["pick/coke_can-v0"].gym_id == "rtbench/PickCokeCan-v0"
    assert BUNDLED.task("rtbench/PickCokeCan-v0") is BUNDLED.task("pick/coke_can-v0")


def test_goals_and_starts_name_only_what_is_there():
    for task in TASKS.values():
        fixtures = SETTINGS[task.scene].fixtures
        known = {*task.objects, *fixtures}
        for leaf in task.goal.leaves():
            assert leaf.predicate in PREDICATES
            assert known.issuperset(leaf.arguments), task.id
        assert set(task.start.place) == set(task.objects), task.id
        assert known.issuperset(task.start.place.values()), task.id
        assert task.start.station in fixtures
        if task.start.given is not None:
            for leaf in task.start.given.leaves():
                assert {*known, *task.foils}.issuperset(leaf.arguments), task.id


def test_instructions_are_several_different_and_clean():
    for task in TASKS.values():
        least = 1 if task.skill.startswith("simpler_") else 2  # SIMPLER has one sentence a task
        assert least <= len(task.templates) <= 7
        assert len(set(task.templates)) == len(task.templates)
        for text in task.templates:
            language.check_instruction(text)


def test_the_skills_own_instructions_name_all_that_they_are_about():
    for task in [*ORDINARY, *(t for t in TASKS.values() if t.group == HELD_OUT)]:
        for text in task.templates[:1]:
            for name in task.objects:
                assert THINGS[name].names[0] in text, (task.id, text)


def test_skills_are_short():
    for path in BUNDLED.find("tasks/skills", "pick.yaml").parent.glob("*.yaml"):
        for block in re.split(r"\n(?=\S)", path.read_text().strip()):
            # What is held out is a list, not a description.
            described = block.split("\n  held_out:")[0]
            assert len([line for line in described.splitlines() if line.strip()]) <= 15, path


def test_good_skill(tmp_path):
    tasks = toys(GOOD, tmp_path)
    assert list(tasks) == ["wave/apple-v2", "wave/7up_can-v2"]
    assert tasks["wave/apple-v2"].templates == ("wave apple", "wave an apple")
    assert tasks["wave/7up_can-v2"].templates == ("wave 7up can", "wave a 7up can")


def test_a_scene_needs_the_counters_that_are_named(tmp_path):
    (tmp_path / "mine.yaml").write_text(GOOD)
    skill = yaml_loader.read_file(tmp_path / "mine.yaml", Skill)["wave"]
    with pytest.raises(UnknownNameError, match=r"mine\.yaml: wave: unknown station 'counter'"):
        expand([("", skill)], TOYS, {"office_kitchen": Setting(("countertop",), ())})


def test_a_role_is_played_by_the_objects_of_its_set(tmp_path):
    (tmp_path / "mine.yaml").write_text(GOOD.replace("tag: movable", "tag: [movable, round], set: other"))
    skills = [("", skill) for skill in yaml_loader.read_file(tmp_path / "mine.yaml", Skill).values()]
    own = {"ball": Toy(("ball",), ("movable", "round"), set="other"), "dice": Toy(("dice",), set="other")}
    assert list(expand(skills, {**TOYS, **own}, SCENES)) == ["wave/ball-v2"]
    with pytest.raises(UnknownNameError, match="set of objects 'other'"):
        expand(skills, TOYS, SCENES)


def test_casts_that_are_held_out_are_set_apart(tmp_path):
    tasks = toys(GOOD + "  held_out: [[7up_can]]\n", tmp_path)
    assert {name: task.group for name, task in tasks.items()} == {
        "wave/apple-v2": "",
        "wave/7up_can-v2": HELD_OUT,
    }
    with pytest.raises(RtbenchError, match=r"wave: held_out: \['cup'\] does not fill its roles"):
        toys(GOOD + "  held_out: [[cup]]\n", tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "fragments"),
    [
        ("tag: movable", "tag: movabel", ["tag 'movabel'", "'movable'"]),
        ("tag: movable", "names: [aple]", ["'aple'", "'apple'"]),
        ("tag: movable", "tagg: movable", ["unknown key 'roles.object.tagg'", "'tag'"]),
        ("{tag: movable}", "{}", ["'tag' or 'names'"]),
        ("tag: movable", "tag: movable, names: [cup]", ["'tag' or 'names'"]),
        ("{object: counter}", "{object: countre}", ["place 'countre'", "'counter'"]),
        ("{object: counter}", "{objekt: counter}", ["role 'objekt'", "'object'"]),
        ("{object: counter}", "{}", ["place", "'object' starts", "counter"]),
        ("lifted: object", "liftd: object", ["predicate 'liftd'", "'lifted'"]),
        ("lifted: object", "lifted: objekt", ["object 'objekt'", "goal lifted(objekt)"]),
        ("lifted: object", "lifted: [object, counter]", ["takes 1"]),
        ("lifted: object", "lifted: 3", ["goal", "takes names"]),
        ("lifted: object", "all: object", ["takes a list"]),
        ("{lifted: object}", "{}", ["goal"]),
        ("office_kitchen", "ofice_kitchen", ["scene 'ofice_kitchen'", "'office_kitchen'"]),
        ("wave {object}", "wave {objekt}", ["role 'objekt'", "'object'"]),
        ("wave {object}", "wave it", ["which object is meant", "{object}"]),
        ("wave {object}", "wave {object", ["which object is meant"]),
        ("wave {object}", "wave {object} }", ["brace"]),
        ("wave {object}", "Wave {object}", ["'Wave'", "lower-case"]),
        ("wave {object}", "wave  {object}", ["stray blank"]),
        ("wave {object}", "wave {a object}", ["stands twice"]),
        ("horizon: 30", "horizon: 0", ["horizon", "greater than or equal to 1"]),
        ("horizon: 30", "horison: 30", ["'horison'", "'horizon'"]),
        ("horizon: 30", "horizon: 30\n  distractors: [3, 1]", ["fewest, most"]),
        ("horizon: 30", "horizon: 30\n  station: countr", ["station 'countr'", "'counter'"]),
        ("horizon: 30", "horizon: 30\n  drawers: {top_drawr: 0.1}", ["drawer 'top_drawr'", "'top_drawer'"]),
        ("horizon: 30", "horizon: 30\n  drawers: {top_drawer: 20}", ["0 to 1 m"]),
    ],
)
def test_bad_skills_name_file_entry_and_remedy(tmp_path, old, new, fragments):
    assert old in GOOD
    with pytest.raises(RtbenchError) as caught:
        toys(GOOD.replace(old, new, 1), tmp_path)
    for fragment in ["mine.yaml", "wave", *fragments]:
        assert fragment in str(caught.value)


def readme_example(heading: str) -> str:
    text = BUNDLED.find("tasks", "README.md").read_text()
    return text.split(f"## {heading}")[1].split("```yaml\n")[1].split("```")[0]


def test_the_readmes_examples_work(tmp_path):
    for folder, heading in (
        ("skills", "Add a task"),
        ("requests", "Add a request"),
        ("wordings", "Add a wording"),
        ("suites", "Add a suite"),
    ):
        (tmp_path / "tasks" / folder).mkdir(parents=True)
        (tmp_path / "tasks" / folder / "mine.yaml").write_text(readme_example(heading))
    new = {name: t for name, t in Library([tmp_path]).tasks().items() if name not in TASKS}
    assert set(new) == {
        "mine/near_five-v0",
        *(f"set_aside/{fruit}_sponge-v0" for fruit in ("apple", "orange", "lemon", "lime", "avocado")),
    }
    assert new["set_aside/apple_sponge-v0"].gym_id == "rtbench/SetAsideAppleSponge-v0"
    assert new["mine/near_five-v0"].templates == ("move apple near the sum of two and three",)
    suite = Library([tmp_path]).suite("fruit")
    assert [(lane.axis, lane.turns) for lane in suite.lanes] == [
        ("plain", 2), ("plain", 1), ("dim", 1), ("german", 1),
    ]  # fmt: skip


def test_the_readme_explains_every_predicate():
    text = BUNDLED.find("tasks", "README.md").read_text()
    assert [name for name in PREDICATES if f"`{name}: " not in text] == []


def test_two_tasks_of_one_name_are_refused(tmp_path):
    with pytest.raises(RtbenchError, match="same name as wave/apple-v2"):
        toys(GOOD + GOOD.replace("wave:", "wave_again:\n  skill: wave", 1).lstrip(), tmp_path)


def test_a_user_adds_a_skill_beside_ours(tmp_path):
    (tmp_path / "tasks/skills").mkdir(parents=True)
    (tmp_path / "tasks/skills/mine.yaml").write_text(GOOD)
    tasks = Library([tmp_path]).tasks()
    assert set(tasks) - set(TASKS) == {
        f"wave/{name}-v2" for name, thing in THINGS.items() if thing.set == "seen" and "movable" in thing.tags
    }
    with pytest.raises(UnknownNameError, match="Did you mean 'wave/apple-v2'"):
        Library([tmp_path]).task("wave/aple-v2")


def test_goals_are_read_as_trees():
    read = parse_goal({"any": [{"near": ["a", "b"], "still": "a"}, {"open": "c"}]})
    near, still, opened = Goal("near", ("a", "b")), Goal("still", ("a",)), Goal("open", ("c",))
    assert read == Goal("any", children=(Goal("all", children=(near, still)), opened))
    assert read.leaves() == (near, still, opened)


words = st.lists(st.from_regex(r"[a-z0-9]{1,7}", fullmatch=True), min_size=1, max_size=3, unique=True)


@given(words)
def test_filling_keeps_all_words(name):
    text = " ".join(name)
    assert language.fill("pick {object} now", {"object": text}) == f"pick {text} now"
    assert language.fill("pick {a object}", {"object": text}) in (f"pick a {text}", f"pick an {text}")


@pytest.mark.parametrize(
    "text",
    ["an apple", "an egg", "an iron", "an orange can", "an umbrella", "an rxbar", "an 8 pack", "an 11 pack",
     "a 7up can", "a sponge", "a red can", "a 12 pack", "a 110 pack"],
)  # fmt: skip
def test_articles_follow_the_sound(text):
    assert language.with_article(text.split(" ", 1)[1]) == text


@pytest.mark.parametrize(
    ("template", "name", "fragment"),
    [
        ("pick {object}", "coke_can", "'coke_can'"),
        ("pick {object}", "", "stray blank"),
        ("pick the {object}", "the apple", "'the' twice"),
        ("pick {object}.", "apple", "'apple.'"),
    ],
)
def test_unclean_instructions_are_refused(template, name, fragment):
    with pytest.raises(InstructionError, match=re.escape(fragment)):
        language.fill(template, {"object": name})
    with pytest.raises(UnknownNameError, match="object"):
        language.fill(template, {"target": name})


def test_choice_depends_on_the_stream_only():
    options = ["a", "b", "c"]
    drawn = [language.choose(options, "suite", "task", seed) for seed in range(60)]
    assert drawn == [language.choose(options, "suite", "task", seed) for seed in range(60)]
    assert all(drawn.count(option) >= 10 for option in options)

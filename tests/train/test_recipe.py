"""The chains of `make rt1` and `make rt2`: steps, what a kill leaves, and all of it with tiny numbers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from rtbench.train import recipe_rt1, recipe_rt2
from rtbench.train.recipe import RecipeError, Step, read, run
from rtbench.train.recipe_rt1 import PREFIX, Parameters, steps

TINY = {
    "RT1_ROUNDS": "2", "RT1_DEMOS": "11", "RT1_WEAKER": "1", "RT1_SEGMENTS": "2", "RT1_DAGGER": "1",
    "RT1_LOOKS": "1", "RT1_FRAMES": "1", "RT1_STEPS": "2", "RT1_BATCH": "2", "RT1_TEST": "1", "RT1_JOBS": "1",
}  # fmt: skip


def chain(**changes) -> list[Step]:
    return steps(replace(Parameters(folder="f"), **changes), cores=2, gpu=False)


def test_each_training_has_all_data_so_far_and_begins_with_the_weights_before():
    trainings = [step for step in chain() if step.command[0] == "train"]
    assert len(trainings) == 3
    made = [step.command[-1] for step in chain() if step.command[0] == "looks"]
    assert len(set(made)) == 5
    for number, step in enumerate(trainings):
        words = list(step.command)
        data = words[words.index("--data") + 1 : words.index("--output")]
        assert data == made[: 3 + number]
        if number:
            before = f"f/round{number - 1}/policies/round{number - 1}.safetensors"
            assert words[words.index("--init") + 1] == before
        else:
            assert "--init" not in words


def test_eyes_from_imagenet_begin_the_first_training_and_stay_frozen_in_all():
    first, *others = [step.command for step in chain(imagenet="lite.whl") if step.command[0] == "train"]
    assert first[first.index("--imagenet") + 1] == "lite.whl"
    for words in (first, *others):
        assert words[words.index("--size") + 1] == "lite"
        assert words[words.index("--freeze-stages") + 1] == "3"
    assert all("--init" in words and "--imagenet" not in words for words in others)


def test_no_two_recordings_share_an_episode_and_none_is_of_an_evaluation():
    recorded = [step.command for step in chain(rounds=5) if step.command[0] == "demos"]
    seeds = [words[words.index("--seed") + 1] for words in recorded]
    assert len(set(seeds)) == len(seeds) == 7


def test_all_cores_train_without_a_gpu_and_one_process_with_one():
    on_gpu = steps(Parameters(), cores=16, gpu=True)
    assert {step.processes for step in on_gpu} == {1}
    assert {step.processes for step in chain() if step.command[0] == "train"} == {2}


def test_a_chain_goes_on_with_the_step_that_failed(tmp_path):
    called, said = [], []
    codes = iter([0, 7, 0, 0])

    def call(argv):
        called.append(argv[-1])
        return next(codes)

    made = [Step(name, ("ls", name)) for name in ("a", "b", "c")]
    with pytest.raises(RecipeError, match="b ended with exit code 7"):
        run(made, tmp_path, call, said.append)
    run(made, tmp_path, call, said.append)
    assert called == ["a", "b", "b", "c"]
    assert "1/3 a: done" in said
    changed = [made[0], Step("b", ("ls", "other"))]
    with pytest.raises(RecipeError, match="b was made by `rtbench ls b`, now it is `rtbench ls other`"):
        run(changed, tmp_path, call, said.append)


def test_parameters_are_read_and_mistakes_are_named():
    assert read(Parameters, PREFIX, {"RT1_ROUNDS": "2", "PATH": "x"}) == Parameters(rounds=2)
    for name, value, message in (
        ("RT1_ROUND", "2", "RT1_ROUND: no parameter"),
        ("RT1_ROUNDS", "two", "RT1_ROUNDS is 'two'; give a number"),
        ("RT1_STEPS", "0", "RT1_STEPS is 0; allowed 1"),
    ):
        with pytest.raises(RecipeError, match=message):
            read(Parameters, PREFIX, {name: value})


def test_a_mistake_ends_without_a_traceback(monkeypatch, capsys):
    monkeypatch.setenv("RT1_LOOK", "1")
    assert recipe_rt1.main() == 2
    assert capsys.readouterr().err.startswith("error: RT1_LOOK: no parameter")


def test_the_arms_differ_in_their_data_alone():
    arms = {
        arm: recipe_rt2.steps(recipe_rt2.Parameters("f", arm=arm), cores=2, gpu=False)
        for arm in recipe_rt2.ARMS
    }
    trained = {
        arm: [s.command for s in chain if s.command[:2] == ("train", "rt2")] for arm, chain in arms.items()
    }

    def total(commands, stages=("grounding", "actions")):
        return sum(int(c[c.index("--steps") + 1]) for c in commands if c[c.index("--stage") + 1] in stages)

    assert len({total(commands) for commands in trained.values()}) == 1, "equal steps after the eyes"
    assert len({total(commands, ("eyes",)) for commands in trained.values()}) == 1
    assert all("--vqa" not in command for command in trained["robot"])
    assert all("--robot-share" in command for command in trained["co"])
    drawn = [s.command for s in arms["cardless"] if s.command[0] == "vqa"]
    assert drawn
    assert all("symbols" not in command and "--set" in command for command in drawn)
    for chain in arms.values():
        played = [s.command[s.command.index("--suite") + 1] for s in chain if s.command[0] == "run"]
        assert set(played) == {"seen", "novel", "emergent"}


def test_arms_share_what_does_not_differ():
    def made(**how) -> dict[str, tuple[str, ...]]:
        found = recipe_rt2.steps(recipe_rt2.Parameters("f", **how), cores=2, gpu=False)
        return {step.name: step.command for step in found}

    arms = {arm: made(arm=arm) for arm in recipe_rt2.ARMS}
    for one in arms.values():
        for other in arms.values():
            assert all(one[name] == other[name] for name in {*one} & {*other}), "one name, one command"
    assert "eyes-questions-0" in {*arms["co"]} & {*arms["first"]}
    assert all(f"eyes-{name}-0" in arms[arm] for arm, name in (("robot", "frames"), ("cardless", "cardless")))


def test_the_hand_is_trained_to_follow_plans_unless_one_is_given():
    found = recipe_rt2.steps(recipe_rt2.Parameters("f"), cores=2, gpu=False)
    motor = next(step for step in found if step.name == "motor")
    assert motor.processes == 2
    assert "--plan-share" in motor.command
    eyes = next(step.command for step in found if step.name == "eyes-questions-0")
    assert eyes[eyes.index("--motor") + 1] == "f/motor/policies/motor.safetensors"
    given = recipe_rt2.steps(recipe_rt2.Parameters("f", motor="hand", bf16=1), cores=2, gpu=False)
    assert "motor" not in {step.name for step in given}
    trainings = [step.command for step in given if step.command[0] == "train"]
    assert all("--bf16" in command for command in trainings)
    assert trainings[0][trainings[0].index("--motor") + 1] == "hand"


def test_chains_of_one_folder_keep_each_others_steps(tmp_path):
    """Two arms run side by side; each ends steps while the other is in one."""

    def call(argv):
        if argv[-1] == "a":
            run([Step("b", ("ls", "b"))], tmp_path, call, lambda _: None)
        return 0

    run([Step("a", ("ls", "a"))], tmp_path, call, lambda _: None)
    said = []
    run([Step("a", ("ls", "a")), Step("b", ("ls", "b"))], tmp_path, lambda _: 1, said.append)
    assert said == ["1/2 a: done", "2/2 b: done"]


CHAIN = """
import sys
from rtbench.train import recipe
from rtbench.train.recipe_rt1 import Parameters

BODY = '''
import os, signal, time
signal.signal(signal.NAME, lambda *_: (os.write(1, b"ended\\\\n"), os._exit(7)))
os.write(1, b"begun\\\\n")
time.sleep(60)
'''

def steps(how, *, cores, gpu):
    return [recipe.Step(name, ("ls",)) for name in ("a", "b")]

recipe._argv = lambda step: [sys.executable, "-c", BODY]
sys.exit(recipe.play(Parameters, "RT1_", steps))
"""
"""Two steps, each of which ends in its own way. A signal in the middle of `print` could not print."""


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_step_that_runs_and_the_chain(tmp_path, sent, code):
    environment = {**os.environ, "RT1_FOLDER": str(tmp_path)}
    command = [sys.executable, "-c", CHAIN.replace("NAME", sent.name)]
    settings = {
        "env": environment,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
        # What a shell starts in the background ignores Ctrl-C, and so may the tests.
        "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    }
    with subprocess.Popen(command, **settings) as chain_of_two:
        while chain_of_two.stdout.readline() != "begun\n":
            assert chain_of_two.poll() is None
        chain_of_two.send_signal(sent)
        said, told = chain_of_two.communicate(timeout=30)
    assert chain_of_two.returncode == code
    assert said == "ended\n"
    assert told == "a was stopped; the same command goes on with it.\n"


def test_an_unknown_arm_is_refused(monkeypatch, capsys):
    monkeypatch.setenv("RT2_ARM", "robots")
    assert recipe_rt2.main() == 2
    assert "robot" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("RTBENCH_TEST_ALL"), reason="minutes; RTBENCH_TEST_ALL=1 runs it")
@pytest.mark.timeout(1500)
def test_the_whole_chain_runs_and_runs_again(tmp_path):
    """Ends with two runs of a policy that was trained from nothing."""
    environment = {**os.environ, **TINY, "RT1_FOLDER": str(tmp_path / "rt1"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "rtbench.train.recipe_rt1"]
    first = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=1200
    )
    assert first.returncode == 0, first.stdout[-2000:] + first.stderr[-2000:]
    assert (tmp_path / "rt1/round1/policies/round1.yaml").exists()
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    lines = again.stdout.splitlines()
    assert len(lines) == 12
    assert all(line.endswith(": done") for line in lines)

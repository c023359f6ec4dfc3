"""The same episode is the same to the last bit, wherever, whenever and beside whatever it is played.

The golden files also say what it was when they were written. To write them anew after a change of behaviour:

    python -m pytest tests/integration/test_determinism.py -k golden --update-golden
"""

import dataclasses
import hashlib
import json
import os
import platform
import subprocess
import sys

import mujoco
import numpy as np
import pytest

from rtbench.core.action import RTBENCH, idle
from rtbench.core.errors import ActionError
from rtbench.core.seeding import generator
from rtbench.env.kitchen import Kitchen
from rtbench.policy.oracle import oracle_action
from rtbench.task.library import load_suite
from rtbench.task.suite import episodes
from tests.helpers.paths import GOLDEN as GOLDEN_FOLDER
from tests.helpers.paths import ROOT

GOLDEN = GOLDEN_FOLDER / "oracle.json"
SUITE = episodes(load_suite("seen"), rounds=1, seed=11)
BY_SKILL = {e.skill: e for e in SUITE}
CHOSEN = ("pick", "open_drawer", "pick_from", "drive")
"""Skills whose episodes are played again and again: arm, drawer, bowl or drawer, base."""
STEPS = 25


def trace(kitchen, played, steps=STEPS):
    """State hashes at reset and after each step of the oracle's, and its tokens."""
    kitchen.begin(played)
    hashes, tokens = [kitchen.state_hash()], []
    for _ in range(steps):
        tokens.append(RTBENCH.encode(oracle_action(kitchen)))
        kitchen.advance(tokens[-1])
        hashes.append(kitchen.state_hash())
        if kitchen.terminated:
            break
    return hashes, np.array(tokens)


def digest(tokens):
    return hashlib.sha256(tokens.astype("<i8").tobytes()).hexdigest()[:16]


@pytest.fixture(scope="module")
def alone():
    """Each chosen episode's trace in a kitchen of its own."""
    return {skill: trace(Kitchen(cameras=()), BY_SKILL[skill]) for skill in CHOSEN}


each = pytest.mark.parametrize("skill", CHOSEN)


@each
def test_after_other_episodes(kitchen, alone, skill):
    for other in reversed(SUITE):
        kitchen.begin(other)
        kitchen.advance(RTBENCH.encode(idle()))
    assert trace(kitchen, BY_SKILL[skill])[0] == alone[skill][0]


@each
def test_after_another_scene_and_a_variant(kitchen, alone, skill):
    played = BY_SKILL[skill]
    for scene, variant in (
        ("office_desk", ""),
        ("sink_counter", "camera_large"),
        (played.scene, "robot_large"),
    ):
        kitchen.begin(dataclasses.replace(BY_SKILL["pick"], scene=scene, variant=variant))
        kitchen.advance(RTBENCH.encode(idle()))
    assert trace(kitchen, played)[0] == alone[skill][0]


@each
def test_again_at_once(kitchen, alone, skill):
    for _ in range(2):
        assert trace(kitchen, BY_SKILL[skill])[0] == alone[skill][0]


@each
def test_after_an_aborted_episode_full_of_nonsense(kitchen, alone, skill):
    kitchen.begin(BY_SKILL["bring"])
    random = generator("nonsense", skill)
    for _ in range(12):
        kitchen.advance(np.append(random.integers(0, 256, 10), random.integers(0, 3)))
    with pytest.raises(ActionError):
        kitchen.advance(np.full(11, 999))
    assert trace(kitchen, BY_SKILL[skill])[0] == alone[skill][0]


@each
def test_with_images(alone, skill):
    kitchen = Kitchen(cameras=("head", "wrist"))
    assert trace(kitchen, BY_SKILL[skill])[0] == alone[skill][0]
    kitchen.close()


@each
def test_whoever_looks_changes_nothing(kitchen, alone, skill):
    """Questions about the world are no part of it."""
    hashes, tokens = alone[skill]
    kitchen.begin(BY_SKILL[skill])
    for step, row in enumerate(tokens):
        kitchen.success()
        kitchen.leaves()
        kitchen.observe()
        kitchen.world.touched()
        for name in kitchen.world.names():
            kitchen.world.box(name)
            kitchen.world.touching(name, "counter")
        assert kitchen.state_hash() == hashes[step]
        kitchen.advance(row)
    assert kitchen.state_hash() == hashes[-1]


def test_beside_another_kitchen_in_turns(alone):
    first, second = Kitchen(cameras=()), Kitchen(cameras=())
    hashes, tokens = alone["pick"]
    first.begin(BY_SKILL["pick"])
    for step, row in enumerate(tokens):
        assert first.state_hash() == hashes[step]
        second.begin(SUITE[step % len(SUITE)])
        first.advance(row)
        second.advance(row)
    assert first.state_hash() == hashes[-1]


def elsewhere(skills, **environment):
    """The traces of a fresh process."""
    code = (
        "import importlib.util, json, sys\n"
        "from rtbench.env import gl; gl.prepare()\n"
        f"spec = importlib.util.spec_from_file_location('determinism', {__file__!r})\n"
        "tests = importlib.util.module_from_spec(spec); spec.loader.exec_module(tests)\n"
        "kitchen = tests.Kitchen(cameras=())\n"
        "print(json.dumps({s: tests.trace(kitchen, tests.BY_SKILL[s])[0] for s in sys.argv[1:]}))\n"
    )
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code, *skills],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def test_in_another_process(alone):
    found = elsewhere(CHOSEN, PYTHONHASHSEED="7")
    assert found == {skill: alone[skill][0] for skill in CHOSEN}


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="kernels named are those of x86")
@pytest.mark.parametrize("kernel", ["Prescott", "Haswell", "SkylakeX"])
def test_with_the_linear_algebra_of_another_processor(alone, kernel):
    """OpenBLAS computes last bits by the processor's model; the simulation must not depend on them."""
    found = elsewhere(("drive", "pick"), OPENBLAS_CORETYPE=kernel)
    assert found == {skill: alone[skill][0] for skill in ("drive", "pick")}


BEGINNINGS = (
    "import json\n"
    "from rtbench.env import gl; gl.prepare()\n"
    "from rtbench.env.kitchen import Kitchen\n"
    "from rtbench.task.library import load_suite\n"
    "from rtbench.task.suite import episodes\n"
    "kitchen, found = Kitchen(cameras=()), {}\n"
    "for episode in episodes(load_suite('novel'), rounds=2, axes=['distractors/9_hidden']):\n"
    "    kitchen.begin(episode)\n"
    "    found[episode.key] = kitchen.state_hash()\n"
    "print(json.dumps(found))\n"
)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="kernels named are those of x86")
def test_objects_are_placed_the_same_by_the_arithmetic_of_another_processor():
    """Kernels of OpenBLAS and vector instructions of NumPy differ in last bits; placements must not."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    found = []
    for settings in (
        {"OPENBLAS_CORETYPE": "Haswell"},
        {"OPENBLAS_CORETYPE": "SkylakeX"},
        {"OPENBLAS_CORETYPE": "Prescott", "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL"},
    ):
        done = subprocess.run(
            [sys.executable, "-c", BEGINNINGS], env={**os.environ, "PYTHONPATH": path, **settings},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found.append(json.loads(done.stdout))
    assert len(found[0]) > 5
    assert found[0] == found[1] == found[2]


def test_recorded_tokens_lead_to_the_same_state(kitchen, alone):
    hashes, tokens = alone["open_drawer"]
    kitchen.begin(BY_SKILL["open_drawer"])
    for row in tokens:
        kitchen.advance(row)
    assert kitchen.state_hash() == hashes[-1]


def test_the_hash_sees_a_difference_of_one_bit(kitchen):
    kitchen.begin(BY_SKILL["pick"])
    before = kitchen.state_hash()
    data = kitchen.world._data
    for field in (data.qpos, data.qvel):
        kept = field[3]
        field[3] = np.nextafter(kept, 9.0)
        assert kitchen.state_hash() != before
        field[3] = kept
    assert kitchen.state_hash() == before


# Golden files -------------------------------------------------------------------------------------------


def here():
    """What the numbers may depend on."""
    return f"mujoco {mujoco.__version__}, {platform.system()} {platform.machine()}"


def golden():
    return json.loads(GOLDEN.read_text())


@pytest.mark.parametrize("skill", sorted(BY_SKILL))
def test_golden(kitchen, request, skill):
    played = BY_SKILL[skill]
    hashes, tokens = trace(kitchen, played, played.horizon)
    found = {
        "episode": played.key, "task": played.task, "steps": len(tokens), "tokens": digest(tokens),
        "first": hashes[0], "last": hashes[-1],
    }  # fmt: skip
    if request.config.getoption("--update-golden"):
        known = golden() if GOLDEN.exists() else {}
        known.setdefault(here(), {})[skill] = found
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
        return
    if here() not in golden():
        pytest.skip(f"no golden values for {here()}; known: {', '.join(golden()) or 'none'}")
    assert found == golden()[here()].get(skill), (
        "a change of behaviour needs a new version: see this file's top"
    )

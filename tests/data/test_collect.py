"""Recorded demonstrations: nothing held out, nothing of an evaluation, and whole whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rtbench
from rtbench.core.action import MODE, RTBENCH, SIZE, Mode
from rtbench.core.errors import RtbenchError
from rtbench.core.image import shrink
from rtbench.core.seeding import generator
from rtbench.data.action_noise import perturb
from rtbench.data.collect import Recording, check_seen, collect, draw
from rtbench.data.demonstration import DemonstrationError, Demonstrations
from rtbench.evaluation.ending import TooManyErrorsError
from rtbench.evaluation.plan import Limits
from rtbench.policy.card import Card
from rtbench.task import suite
from rtbench.task.expand import HELD_OUT
from rtbench.task.library import BUNDLED
from tests.helpers import demonstrations as demos
from tests.helpers.commands import rtbench as run
from tests.helpers.commands import width


def recording(**changes) -> Recording:
    return Recording(**{"factory": demos.FACTORY, "size": demos.SIZE, **changes})


def card(name) -> Card:
    return Card(name=name, factory=f"{demos.HERE}:{name}", summary="")


def read(path):
    with Demonstrations(path) as found:
        return [found.demo(k) for k in range(len(found))]


# What may be trained on -----------------------------------------------------------------------------


def test_a_thousand_training_episodes_hold_nothing_that_is_held_out():
    tasks, things = BUNDLED.tasks(), BUNDLED.things()
    seen = BUNDLED.suite("seen").tasks()
    scenes, sets = {task.scene for task in seen}, {things[name].set for task in seen for name in task.present}
    chosen = draw(Recording(), 1100)
    assert {tasks[e.task].group for e in chosen} == {""}
    assert {e.variant for e in chosen} == {""}
    assert {e.language for e in chosen} == {"en"}
    assert {e.scene for e in chosen} <= scenes
    assert {things[name].set for e in chosen for name in e.objects} <= sets
    assert len({e.key for e in chosen}) == len(chosen)


def test_no_held_out_pair_may_be_trained_on():
    catalogue, seen = BUNDLED.catalogue(), BUNDLED.suite("seen")
    held_out = suite.held_out(catalogue)
    assert len(held_out) > 20
    for task in held_out:
        assert task.group == HELD_OUT
        with pytest.raises(DemonstrationError, match=f"task {task.id}"):
            check_seen([suite.draw(seen, task, 1_000_000)])


@pytest.mark.parametrize("name", ["novel", "emergent"])
def test_no_axis_of_an_evaluation_may_be_trained_on(name):
    whole = BUNDLED.suite(name)
    for axis, rules in whole.entry.axes.items():
        episode = suite.episodes(whole, limit=1, axes=[axis], rounds=1)[0]
        if rules.split == "seen" or episode.split == "seen":
            continue
        if not rules.variants and axis.startswith("distractors"):
            continue  # only the number of ordinary things is new
        with pytest.raises(DemonstrationError, match="holds what is held out"):
            check_seen([episode])


@given(seed=st.integers(0, 9_999), number=st.integers(0, suite.SEEDS - 1), other=st.integers(0, 9))
def test_seeds_of_training_are_never_those_of_an_evaluation(seed, number, other):
    first = draw(Recording(seed=seed), 1)[0].seed
    assert first == 1_000_000 + suite.SEEDS * seed
    assert first > other * suite.SEEDS + number


def test_more_episodes_only_append():
    assert draw(Recording(), 30)[:12] == draw(Recording(), 12)


# What is recorded -----------------------------------------------------------------------------------


def test_the_file_is_the_same_whatever_the_workers(tmp_path):
    one, two = tmp_path / "one.h5", tmp_path / "two.h5"
    done = collect(recording(noise=0.4), 12, one, workers=1)
    collect(recording(noise=0.4), 12, two, workers=3)
    assert (done.kept, done.failed, done.errors) == (12, 0, 0)
    assert one.read_bytes() == two.read_bytes()
    assert sorted(tmp_path.iterdir()) == [one, two]
    assert [demo.episode for demo in read(one)] == draw(recording(), 12)


def test_labels_are_what_the_oracle_answers_to_what_has_happened(tmp_path):
    collect(recording(noise=0.5), 30, tmp_path / "demos.h5", workers=1)
    steps = 0
    for demo in read(tmp_path / "demos.h5"):
        x = demo.proprio[:, 0]
        push = RTBENCH.encode([0.05, 0, 0, 0, 0, 0, -1, 0, 0, 0, 0])
        assert (demo.labels[x <= 0.5] == push).all()
        assert (demo.labels[x > 0.5, MODE] == Mode.TERMINATE).all()
        disturbed = (demo.tokens != demo.labels).any(axis=1)
        assert not disturbed[-1]
        assert disturbed.sum() > 0 or len(demo) < 8
        # Each step began where the one before had led, disturbances and all.
        moved = np.diff(x)
        acted = np.array([RTBENCH.decode(row)[0] for row in demo.tokens[:-1]])
        np.testing.assert_allclose(moved, acted, atol=1e-6)
        steps += disturbed.sum()
    assert steps > 30


def test_without_noise_what_was_acted_is_the_label(tmp_path):
    collect(recording(), 8, tmp_path / "demos.h5", workers=1)
    assert all((demo.tokens == demo.labels).all() for demo in read(tmp_path / "demos.h5"))


@given(
    tokens=st.lists(st.integers(0, 255), min_size=10, max_size=10), mode=st.integers(0, 2),
    seed=st.integers(0, 99), share=st.floats(0, 1),
)  # fmt: skip
def test_noise_disturbs_only_what_the_mode_moves(tokens, mode, seed, share):
    row = np.array([*tokens, mode])
    found = perturb(row, RTBENCH, share, generator("test", seed))
    changed = set(np.flatnonzero(found != row))
    allowed = {Mode.ARM: set(range(6)), Mode.BASE: {7, 8, 9}, Mode.TERMINATE: set()}[Mode(mode)]
    assert changed <= allowed
    assert found.shape == (SIZE,)
    if share == 0:
        assert not changed


def test_noise_falls_on_its_share_of_the_steps():
    row, random = RTBENCH.encode(np.zeros(SIZE)), generator("test", 0)
    hits = sum((perturb(row, RTBENCH, 0.3, random) != row).any() for _ in range(2000))
    assert 530 < hits < 670


def test_failures_are_not_kept_unless_asked_and_not_played_again(tmp_path):
    path = tmp_path / "demos.h5"
    done = collect(recording(factory=demos.STUCK_FACTORY), 12, path, workers=1)
    assert done.kept + done.failed == 12
    assert 0 < done.failed < 12
    before = path.stat().st_mtime_ns
    assert collect(recording(factory=demos.FACTORY), 12, path, workers=1) == done
    assert path.stat().st_mtime_ns == before
    assert all(demo.success for demo in read(path))
    every = collect(
        recording(factory=demos.STUCK_FACTORY, keep_failures=True), 12, tmp_path / "all.h5", workers=1
    )
    assert every.kept == 12
    assert sum(not demo.success for demo in read(tmp_path / "all.h5")) == done.failed


def test_only_failures_are_no_file(tmp_path):
    still = recording(policy=card("Still"), keep_failures=False)
    with pytest.raises(DemonstrationError, match="none of 2 episodes succeeded"):
        collect(still, 2, tmp_path / "demos.h5", workers=1)
    assert not (tmp_path / "demos.h5").exists()


def test_a_policy_acts_and_the_oracle_labels(tmp_path):
    done = collect(recording(policy=card("Still")), 4, tmp_path / "demos.h5", workers=2)
    assert done.kept == 4  # all of them failed
    for demo in read(tmp_path / "demos.h5"):
        assert (demo.policy, demo.success, len(demo)) == ("Still", False, demo.episode.horizon)
        assert (demo.tokens[:, 0] == 128).all()
        assert (demo.labels[:, 0] > 128).all()


def test_a_policys_arguments_are_its_own(tmp_path):
    pusher = recording(policy=f"{demos.HERE}:Pusher", arguments={"token": 140})
    collect(pusher, 2, tmp_path / "demos.h5", workers=1)
    assert all((demo.tokens[:, 0] == 140).all() for demo in read(tmp_path / "demos.h5"))
    with pytest.raises(DemonstrationError, match="token"):
        collect(replace(pusher, arguments={"token": 150}), 3, tmp_path / "demos.h5", workers=1)


def test_an_end_that_comes_too_early_is_not_acted(tmp_path):
    collect(recording(policy=card("Quitter")), 3, tmp_path / "demos.h5", workers=1)
    for demo in read(tmp_path / "demos.h5"):
        assert demo.success  # the oracle went on, and ended it
        assert (demo.tokens == demo.labels).all()


def test_a_mixture_acts_as_both(tmp_path):
    collect(recording(policy=card("Still"), beta=1.0), 3, tmp_path / "one.h5", workers=1)
    assert all((demo.tokens == demo.labels).all() for demo in read(tmp_path / "one.h5"))
    collect(recording(policy=card("Still"), beta=0.5), 3, tmp_path / "half.h5", workers=1)
    shares = [(demo.tokens == demo.labels).all(axis=1).mean() for demo in read(tmp_path / "half.h5")]
    assert 0.3 < np.mean(shares) < 0.8


def test_a_broken_policy_leaves_no_file(tmp_path):
    with pytest.raises(TooManyErrorsError, match=r"3 of 3 episodes were errors; .*action token 0"):
        collect(recording(policy=card("Broken")), 3, tmp_path / "demos.h5", workers=1)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DemonstrationError, match="none of 3 episodes"):
        collect(
            recording(policy=card("Broken")),
            3,
            tmp_path / "demos.h5",
            workers=1,
            limits=Limits(error_share=1),
        )


# Continuing -----------------------------------------------------------------------------------------


def test_a_greater_number_appends(tmp_path):
    collect(recording(noise=0.3), 4, tmp_path / "grown.h5", workers=1)
    collect(recording(noise=0.3), 9, tmp_path / "grown.h5", workers=2)
    collect(recording(noise=0.3), 9, tmp_path / "whole.h5", workers=1)
    assert (tmp_path / "grown.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


@pytest.mark.parametrize(
    "changes", [{"noise": 0.1}, {"seed": 1}, {"policy": card("Still")}, {"size": (9, 9)}]
)
def test_a_file_is_not_continued_with_other_settings(tmp_path, changes):
    path = tmp_path / "demos.h5"
    collect(recording(), 2, path, workers=1)
    before = path.read_bytes()
    with pytest.raises(DemonstrationError, match=r"demos\.h5: "):
        collect(recording(**changes), 4, path, workers=1)
    assert path.read_bytes() == before
    assert [path] == list(tmp_path.iterdir())


def start(path):
    script = textwrap.dedent(f"""
        from pathlib import Path
        from rtbench.data.collect import Recording, collect
        recording = Recording(factory={demos.SLOW_FACTORY!r}, size={demos.SIZE!r}, noise=0.3)
        collect(recording, 14, Path({str(path)!r}), workers=2)
    """)
    environment = {**os.environ, "PYTHONPATH": str(Path(rtbench.__file__).parent.parent)}
    return subprocess.Popen(
        [sys.executable, "-c", script], env=environment, cwd=path.parent, start_new_session=True,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_killed_recording_goes_on_and_ends_the_same(tmp_path):
    path, folder = tmp_path / "demos.h5", tmp_path / "demos.h5.parts"
    process = start(path)
    deadline = time.monotonic() + 30
    while len(list(folder.glob("[!.]*.h5"))) < 3:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    assert not path.exists()
    left = sorted(folder.glob("[!.]*.h5"))
    assert 3 <= len(left) < 14
    # What a machine that lost power may leave: half a part under its own name, and half a part being written.
    left[0].write_bytes(left[0].read_bytes()[:1000])
    (folder / ".0123456789abcdef.h5.1").write_bytes(b"half")
    times = {part: part.stat().st_mtime_ns for part in left[1:]}
    played = []
    reporter = Counting(played)
    collect(recording(noise=0.3), 14, path, workers=1, reporter=reporter)
    assert len(played) == 14 - len(times)
    collect(recording(noise=0.3), 14, tmp_path / "whole.h5", workers=2)
    assert path.read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert not folder.exists()


class Counting:
    def __init__(self, played):
        self.played = played

    def begin(self, total, done):
        pass

    def episode(self, success):
        self.played.append(success)

    def say(self, text):
        pass


def test_one_process_writes(tmp_path):
    path, folder = tmp_path / "demos.h5", tmp_path / "demos.h5.parts"
    process = start(path)
    try:
        deadline = time.monotonic() + 30
        while not list(folder.glob("*")):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        with pytest.raises(DemonstrationError, match="another process is writing it"):
            collect(recording(), 14, path, workers=1)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


# The true environment, and the command line ---------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    path = tmp_path_factory.mktemp("recorded") / "demos.h5"
    said = run("demos", "-n", 2, "-j", 1, "--skill", "close_drawer", "--noise", "0.3", "--output", path)
    assert said.code == 0, said.err
    return path, said


def test_a_recorded_episode_can_be_played_again(recorded, kitchen):
    demo = read(recorded[0])[0]
    kitchen.begin(demo.episode)
    assert kitchen.fingerprint()["state"] == demo.fingerprint
    for tokens, image, proprio, after in zip(
        demo.tokens, demo.images, demo.proprio, demo.hashes, strict=True
    ):
        assert np.abs(shrink(kitchen.frame(), (128, 160)).astype(int) - image).max() <= 1
        assert (kitchen.observe().proprio == proprio).all()
        kitchen.advance(tokens.astype(int))
        assert kitchen.state_hash()[:8] == after.decode()
    assert kitchen.success()


def test_the_command_says_what_is_in_the_file(recorded):
    path, said = recorded
    steps = [len(demo) for demo in read(path)]
    assert f"close_drawer\t{len(steps)}\t{sum(steps)}" in said.out
    assert f"demonstrations: {len(steps)}, frames: {sum(steps)}, " in said.out
    again = run("demos", "-n", 2, "-j", 1, "--skill", "close_drawer", "--noise", "0.3", "--output", path)
    assert (again.code, "demonstrations: " in again.out) == (0, True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--policy", "random"], "add --relabel oracle"),
        (["--beta", "0.5"], "give --policy NAME too"),
        (["--policy-arg", "threads=2"], "the oracle takes none; give --policy NAME too"),
        (["--policy", "rnadom", "--relabel", "oracle"], "Did you mean 'random'?"),
        (["--suite", "novel"], "give --suite seen"),
        (["--suite", "sene"], "Did you mean 'seen'?"),
        (["--skill", "pikc"], "Did you mean 'pick'?"),
        (["--size", "128"], "such as 128x160"),
        (["--size", "0x9999"], "16x16 to 256x320"),
        (["--seed", "10000"], "allowed 0 to 9999"),
        (["--noise", "2"], "--noise"),
        (["-n", "0"], "--limit"),
    ],
)
def test_mistakes_are_told(tmp_path, options, told):
    said = run("demos", *options, "--output", tmp_path / "demos.h5")
    assert said.code == 2
    assert told in said.err
    assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_something_else_is_not_overwritten(tmp_path):
    path = tmp_path / "demos.h5"
    path.write_text("my thesis")
    said = run("demos", "-n", 1, "--output", path)
    assert (said.code, "no HDF5 file" in said.err, path.read_text()) == (2, True, "my thesis")


def test_help_fits_a_terminal():
    assert width(run("demos", "--help").out) <= 80


def test_a_privileged_policy_other_than_the_oracle_is_refused(tmp_path):
    odd = Card(name="odd", factory="rtbench.policy.oracle:OraclePolicy", summary="")
    with pytest.raises(RtbenchError, match="odd is privileged"):
        collect(recording(policy=odd), 1, tmp_path / "demos.h5")

"""Frames that are drawn again from recorded states, and the names in them."""

from __future__ import annotations

import numpy as np
import pytest

from rtbench.data import redraw as redraw_module
from rtbench.data.demonstration import DemonstrationError, Demonstrations
from rtbench.data.naming import Naming, join, problem
from rtbench.data.redraw import Redrawing, draw_again, redraw
from rtbench.data.state_renderer import StateRenderer
from tests.helpers.commands import rtbench as run
from tests.helpers.demonstrations import made_up


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("looks")
    recorded, drawn = folder / "demos.h5", folder / "looks.h5"
    said = run("demos", "-n", 4, "--skill", "pick", "--skill", "open_drawer", "-j", 1, "-o", recorded)
    assert said.code == 0, said.err
    said = run("looks", recorded, "--looks", 2, "--own", "-o", drawn)
    assert said.code == 0, said.err
    assert "names per frame" in said.out
    return recorded, drawn


def demos(path):
    with Demonstrations(path) as file:
        return [file.demo(number) for number in range(len(file))]


def test_states_give_the_recorded_frames_back(files):
    """But for the last 1/240 s: MuJoCo draws the state in which its last step began."""
    recorded, drawn = map(demos, files)
    for demo, own in zip(recorded, drawn[::3], strict=True):
        assert own.look == "own"
        assert (own.images == demo.images).mean() > 0.75
        difference = np.abs(own.images.astype(int) - demo.images)
        assert difference.mean() < 2
        assert np.nanmax(np.abs(own.points - demo.points)) < 0.01
        assert (np.isnan(own.points) == np.isnan(demo.points)).mean() > 0.95


def test_looks_change_pictures_and_nothing_of_what_was_done(files):
    recorded, drawn = map(demos, files)
    assert len(drawn) == 3 * len(recorded)
    for number, demo in enumerate(recorded):
        own, *looks = drawn[3 * number : 3 * number + 3]
        assert [look.look for look in looks] == ["0/0", "0/1"]
        for look in looks:
            assert look.episode == demo.episode
            for name in ("tokens", "labels", "hashes", "proprio", "states", "grips"):
                assert getattr(look, name).tobytes() == getattr(demo, name).tobytes(), name
            assert np.abs(look.images.astype(int) - own.images).mean() > 10
            assert not np.allclose(look.points, own.points, equal_nan=True)
            assert np.nanmax(np.abs(look.points - own.points)) < 0.1
        assert np.abs(looks[0].images.astype(int) - looks[1].images).mean() > 10


def test_the_same_command_draws_the_same_file(files, tmp_path):
    again = tmp_path / "again.h5"
    assert run("looks", files[0], "--looks", 1, "-o", again).code == 0
    first = [demo for demo in demos(files[1]) if demo.look == "0/0"]
    for one, other in zip(first, demos(again), strict=True):
        assert np.array_equal(one.images, other.images)
        assert np.array_equal(one.naming.places, other.naming.places)


def test_every_frame_names_what_is_seen(files):
    _, drawn = map(demos, files)
    per_frame = np.concatenate([demo.naming.counts for demo in drawn])
    assert per_frame.mean() > 5
    for demo in drawn:
        naming = demo.naming
        texts = [name.text for name in naming.vocabulary]
        assert len(set(texts)) == len(texts)
        assert "gripper" in texts
        assert "handle of the top drawer" in texts
        assert naming.shares.min() >= 0.2
        assert naming.shares.max() <= 1
        frame = np.repeat(np.arange(len(demo)), naming.counts)
        pairs = set(zip(frame.tolist(), naming.names.tolist(), strict=True))
        assert len(pairs) == len(naming.names), "a thing is named twice in a frame"


def test_an_object_is_named_where_its_keypoint_is(files):
    _, drawn = map(demos, files)
    checked = 0
    for demo in drawn:
        if demo.episode.skill != "pick":
            continue
        target = demo.naming.vocabulary[0].text
        first = demo.naming.names[: demo.naming.counts[0]]
        where = [k for k, name in enumerate(first) if demo.naming.vocabulary[name].text == target]
        for k in where:
            # The keypoint is the middle of the thing; what is seen of it is around that.
            assert np.abs(demo.naming.places[k] - demo.points[0, 0]).max() < 0.04
            checked += 1
    assert checked


def test_demonstrations_without_states_are_refused():
    renderer = StateRenderer()
    with pytest.raises(Exception, match="has no states"):
        draw_again(made_up(), "0/0", None, renderer, None)


def test_a_redrawn_file_is_not_drawn_again(files, tmp_path):
    said = run("looks", files[1], "-o", tmp_path / "twice.h5")
    assert said.code == 2
    assert "is drawn under look" in said.err
    assert not (tmp_path / "twice.h5").exists()


def test_nothing_to_draw_is_refused(files, tmp_path):
    assert run("looks", files[0], "--looks", 0, "-o", tmp_path / "x.h5").code == 2
    assert run("looks", files[0], "-o", files[0]).code == 2


def naming(texts, counts, names):
    labels = len(names)
    return Naming(
        tuple((text, "can") for text in texts), np.array(counts), np.array(names),
        np.zeros((labels, 2), np.float32), np.ones(labels, np.float32),
    )  # fmt: skip


def test_vocabularies_are_joined():
    joined = join([naming(["a", "b"], [1, 1], [1, 0]), Naming.none(2), naming(["c", "b"], [2], [0, 1])])
    assert [text for text, _ in joined.vocabulary] == ["a", "b", "c"]
    assert joined.counts.tolist() == [1, 1, 0, 0, 2]
    assert joined.names.tolist() == [1, 0, 2, 1]
    assert not problem(joined, 5)


@pytest.mark.parametrize(
    "wrong",
    [naming(["a"], [1], [1]), naming(["a"], [2], [0]), naming(["a"], [1, 0], [0])],
)
def test_labels_that_do_not_fit_are_found(wrong):
    assert problem(wrong, 1)


# Recordings without images, single frames, processes and kills ----------------------------------------


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    path = tmp_path_factory.mktemp("states") / "states.h5"
    said = run("demos", "-n", 3, "--skill", "pick", "--seed", 3, "--states-only", "-j", 1, "-o", path)
    assert said.code == 0, said.err
    return path


def test_states_without_images_give_the_frames_of_a_recording_with_them(states, tmp_path):
    recorded, drawn = tmp_path / "demos.h5", tmp_path / "drawn.h5"
    assert run("demos", "-n", 3, "--skill", "pick", "--seed", 3, "-j", 1, "-o", recorded).code == 0
    assert run("looks", states, "--looks", 0, "--own", "-j", 1, "-o", drawn).code == 0
    for lean, full, again in zip(demos(states), demos(recorded), demos(drawn), strict=True):
        assert lean.images is None
        for name in ("tokens", "labels", "hashes", "proprio", "states", "grips", "points"):
            assert getattr(lean, name).tobytes() == getattr(full, name).tobytes(), name
        assert np.abs(again.images.astype(int) - full.images).mean() < 2


def test_without_images_nothing_is_trained_or_exported(states, tmp_path):
    said = run("train", "rt1", "--data", states, "-o", tmp_path / "r", "--steps", 1)
    assert said.code == 2
    assert "has states and no images; draw them with `rtbench looks`" in said.err
    said = run("export", states, "--format", "lerobot", "-o", tmp_path / "lerobot")
    assert said.code == 2
    assert "has states and no images" in said.err


def test_single_frames_are_steps_of_their_demonstration(states, tmp_path):
    some, every = tmp_path / "some.h5", tmp_path / "every.h5"
    assert run("looks", states, "--looks", 2, "--frames", 3, "-j", 1, "-o", some).code == 0
    assert run("looks", states, "--looks", 2, "-j", 1, "-o", every).code == 0
    chosen = []
    for part, whole in zip(demos(some), demos(every), strict=True):
        assert len(part) == 3
        steps = [whole.hashes.tolist().index(value) for value in part.hashes.tolist()]
        assert steps == sorted(set(steps))
        assert steps[0] == 0, "in which a plan is made"
        for name in ("tokens", "labels", "images", "proprio", "points", "grips", "states"):
            assert np.array_equal(getattr(part, name), getattr(whole, name)[steps], equal_nan=True), name
        chosen.append(steps)
    assert chosen[::2] == chosen[1::2], "the same moments in each look"
    assert len(set(map(tuple, chosen))) > 1
    said = run("train", "rt1", "--size", "base", "--data", some, "-o", tmp_path / "r", "--steps", 1)
    assert said.code == 2
    assert "has single frames, and all are needed in a row" in said.err
    said = run("export", some, "--format", "lerobot", "-o", tmp_path / "lerobot")
    assert said.code == 2
    assert "has single frames" in said.err


def test_a_drawing_goes_on_and_does_not_depend_on_the_processes(states, tmp_path, monkeypatch):
    monkeypatch.setattr(redraw_module, "BLOCK", 1)
    how = Redrawing(looks=1, frames=2)
    whole, killed = tmp_path / "whole.h5", tmp_path / "killed.h5"
    redraw(states, whole, how, workers=2)

    def stop(done, _):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        redraw(states, killed, how, stop)
    assert not killed.exists()
    seen = []
    redraw(states, killed, how, lambda done, _: seen.append(done))
    assert seen == [2, 3], "two blocks are not drawn again"
    for one, other in zip(demos(whole), demos(killed), strict=True):
        assert np.array_equal(one.images, other.images)
        assert np.array_equal(one.naming.places, other.naming.places)
    assert not list(tmp_path.glob("*.parts"))
    redraw(states, killed, how, lambda done, _: seen.append(done))
    assert seen[2:] == [3], "a finished file is left alone"
    with pytest.raises(DemonstrationError, match=r"begun with looks\.seed 0, now it is 1"):
        redraw(states, killed, Redrawing(looks=1, frames=2, seed=1))

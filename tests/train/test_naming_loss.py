"""The dense naming loss: what is seen in a frame is named at its place."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from rtbench.core.seeding import generator
from rtbench.data.demonstration import OWN_LOOK, Header
from rtbench.data.hdf5_writer import Writer
from rtbench.data.naming import Name, Naming
from rtbench.policy.rt1.checkpoint import load as load_weights
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt2.naming_head import PARTS, Named, NamingHead
from rtbench.train import rt1
from rtbench.train.augment import Augmentation, draw
from rtbench.train.dataset import Sampler, load
from rtbench.train.frame_labels import FrameLabels, store
from rtbench.train.hyperparameters import OWN
from rtbench.train.keypoint_loss import KeypointNetwork
from rtbench.train.metrics_log import FILE
from rtbench.train.naming_loss import Found, naming_loss
from rtbench.train.trainer import TrainingData
from rtbench.train.training_loop import Monitoring
from tests.helpers import training_data
from tests.helpers.training_data import TINY

NAMES = (Name("lamp", "can"), Name("hole", "bag"), Name("wall", "drawer"))
COLORS = ((250, 220, 90), (30, 60, 220), (220, 40, 40))


def demonstration(number, look="0/0"):
    """Coloured squares at random of nine places, two or three a frame, on a ground of any colour."""
    demo = training_data.demonstration(number, TINY.image, steps=4)
    random = generator("naming", number)
    height, width = TINY.image
    images = np.empty_like(demo.images)
    counts, names, places = [], [], []
    for image in images:
        image[:] = random.integers(0, 256, 3)
        shown = [k for k in range(3) if k < 2 or random.random() < 0.5]
        for k, place in zip(shown, random.permutation(9)[: len(shown)], strict=True):
            row, column = divmod(int(place), 3)
            top, left = 2 + 10 * row, 2 + 13 * column
            image[top : top + 8, left : left + 8] = COLORS[k]
            names.append(k)
            places.append(((left + 4) / width, (top + 4) / height))
        counts.append(len(shown))
    naming = Naming(
        NAMES, np.array(counts), np.array(names), np.array(places, np.float32),
        np.ones(len(names), np.float32),
    )  # fmt: skip
    return replace(demo, images=images, naming=naming, look=look)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("naming")
    with Writer(folder / "looks.h5", Header("rtbench", TINY.image)) as writer:
        for number in range(60):
            writer.add(demonstration(number))
    return load([folder / "looks.h5"], folder)


def labels(*rows):
    frames, names, places = zip(*rows, strict=True)
    return FrameLabels(torch.tensor(frames), torch.tensor(names), torch.tensor(places))


def test_a_file_gives_its_labels_to_batches(data):
    demo = demonstration(1)
    number = next(k for k, e in enumerate(data.episodes) if e.key == demo.episode.key)
    seen = Sampler(data, 3).batch(np.array([[number, 1]])).seen
    first, last = int(demo.naming.counts[0]), int(demo.naming.counts.sum())
    assert seen.names.tolist() == demo.naming.names[first:last].tolist()
    assert np.array_equal(seen.places.numpy(), demo.naming.places[first:last])
    assert seen.frames.tolist() == np.repeat(np.arange(3), demo.naming.counts[1:]).tolist()


def test_frames_that_fill_up_a_window_have_no_labels(data):
    long = Sampler(data, 6).batch(np.array([[0, 0], [1, 0]])).seen
    assert set((long.frames % 6).tolist()) == {0, 1, 2, 3}


def test_demonstrations_without_names_go_with_others():
    named = demonstration(0).naming
    found = store([Naming.none(2), named, Naming.none(1)])
    seen = found.of(np.array([[0, 1, 2]]), np.ones((1, 3), bool))
    assert seen.frames.tolist() == [2] * int(named.counts[0])
    assert store([Naming.none(3)]) is None


def test_labels_move_with_their_pictures():
    drawn = draw(Augmentation((0.25, 0.25)), 2, 40, 80, generator("shift"))
    drawn = replace(drawn, offsets=np.array([[4, -8], [0, 0]]))
    seen = labels((0, 0, (0.5, 0.5)), (1, 1, (0.05, 0.5)), (2, 2, (0.05, 0.5)))
    moved = seen.shifted(drawn, 2, 40, 80)
    assert moved.names.tolist() == [0, 2], "a label that left the picture"
    assert moved.places.numpy() == pytest.approx(np.array([(0.4, 0.6), (0.05, 0.5)]))


def test_the_loss_is_least_where_names_are_at_their_places():
    seen = labels((0, 0, (0.1, 0.1)), (0, 1, (0.9, 0.9)))
    right = torch.zeros(1, 3, 8, 10)
    right[0, 0, 0, 1] = right[0, 1, 7, 9] = 2.0
    swapped = right[:, [1, 0, 2]]
    losses = [naming_loss(named(scores), seen) for scores in (right, torch.zeros_like(right), swapped)]
    assert losses == sorted(losses)
    assert len(set(losses)) == 3


def test_presence_is_learnt_at_the_middles_of_things():
    seen = FrameLabels(torch.tensor([0, 0]), torch.tensor([0, 1]), torch.tensor([[0.15, 0.05], [0.95, 0.95]]))
    nothing = torch.full((2, 8, 10), -6.0)
    right, wrong = nothing.clone(), nothing.clone()
    right[0, 0, 1] = right[0, 7, 9] = 6.0
    wrong[0, 4, 5] = wrong[0, 2, 8] = 6.0
    scores = torch.zeros(2, 3, 8, 10)
    losses = [naming_loss(Named(scores, presence), seen) for presence in (right, nothing, wrong)]
    assert losses == sorted(losses)
    # The second frame has no labels: nothing is known of it.
    right[1] = 9.0
    assert naming_loss(Named(scores, right), seen) == losses[0]


def test_things_are_the_highest_peaks_with_their_names():
    head = NamingHead(6, torch.eye(5))
    features = torch.zeros(1, 6, 2, 3)
    places, presence = torch.zeros(1, 64, 8, 12), torch.full((1, 8, 12), -5.0)
    words = head._words()
    for row, column, name, value in ((1, 2, 4, 3.0), (1, 3, 0, 2.9), (6, 10, 2, 1.0)):
        places[0, :, row, column], presence[0, row, column] = words[name], value
    head._at_places = lambda _: (places, presence)
    with torch.no_grad():
        head.log_scale.fill_(4.0)
    things = head.things(features, 2)
    assert things.names.argmax(-1).tolist() == [[4, 2]], "the neighbour of the highest peak is none"
    assert torch.allclose(things.places, torch.tensor([[[2.5 / 12, 1.5 / 8], [10.5 / 12, 6.5 / 8]]]))
    assert things.cells.tolist() == [[0, 5]]
    assert (things.presence[0, 0] > things.presence[0, 1]).item()


def named(scores):
    """With a presence that is the same everywhere."""
    return Named(scores, torch.zeros(len(scores), *scores.shape[2:]))


def test_no_labels_are_no_loss():
    nothing = FrameLabels(torch.zeros(0).long(), torch.zeros(0).long(), torch.zeros(0, 2))
    scores = torch.randn(1, 3, 8, 10, requires_grad=True)
    loss = naming_loss(named(scores), nothing)
    loss.backward()
    assert loss.item() == 0


def test_the_probe_counts_by_kind_and_wants_the_named_thing():
    seen = labels((0, 0, (0.15, 0.5)), (0, 1, (0.85, 0.5)), (0, 2, (0.15, 0.5)), (1, 0, (0.5, 0.5)))
    scores = torch.zeros(2, 3, 10, 10)
    scores[0, 0, 5, 1] = scores[0, 1, 5, 1] = scores[0, 2, 4, 1] = scores[1, 0, 9, 9] = 5.0
    found = Found(NAMES)
    found.add(scores, seen)
    # The lamp is found once of twice; the hole is said to be where the lamp is; walls are of another group.
    assert found.asked == {"can": 2, "bag": 1, "drawer": 1}
    assert found.right == {"can": 1, "bag": 0, "drawer": 1}
    assert found.share() == 0.5
    # A guess among two objects, twice; the wall, and the lamp of the second frame, are alone.
    assert found.guessed == {"can": 1.5, "bag": 0.5, "drawer": 1.0}
    assert "can 50% (75%)" in str(found)
    assert "chance 75%" in str(found)


def test_two_things_in_one_place_are_not_told_apart():
    seen = labels((0, 0, (0.15, 0.55)), (0, 1, (0.18, 0.55)))
    scores = torch.zeros(1, 3, 10, 10)
    scores[0, :, 5, 1] = 5.0
    found = Found(NAMES)
    found.add(scores, seen)
    assert sum(found.right.values()) == 1


def test_the_head_has_scores_for_parts_of_cells():
    head = NamingHead(16, torch.randn(5, 24))
    found = head(torch.randn(2, 16, 4, 5))
    assert found.scores.shape == (2, 5, 4 * PARTS, 5 * PARTS)
    assert found.presence.shape == (2, 4 * PARTS, 5 * PARTS)


def vectors():
    return training_data.texts([name.text for name in NAMES], 24)


def learner(folder, data, *, steps, **changes):
    given = (TrainingData(data, training_data.texts(data.instructions), vectors()), RT1(TINY))
    faster = replace(OWN, schedule=replace(OWN.schedule, lr=4e-3), augmentation=Augmentation((0.0, 0.0)))
    return training_data.trainer(
        folder, steps=steps, hyperparameters=faster, given=given, naming_loss_weight=1.0, ema_decay=0,
        **changes,
    )  # fmt: skip


def test_it_learns_names_and_leaves_no_trace_in_the_weights(tmp_path, data):
    made = learner(tmp_path, data, steps=250)
    before = made.where_is()
    made.run(Monitoring(validate=250))
    after = made.where_is()
    assert before.share() < after.chance() < 0.7
    assert after.share() > 0.8
    assert made.ema_network.state_dict().keys() == RT1(TINY).state_dict().keys()
    with (tmp_path / FILE).open() as file:
        rows = {row["part"]: row for row in csv.DictReader(file)}
    assert float(rows["naming"]["accuracy"]) == pytest.approx(after.share())
    assert {"naming/can", "naming/bag", "naming/drawer"} <= rows.keys()


def test_it_goes_on_where_it_stopped(tmp_path, data):
    whole = learner(tmp_path, data, steps=4, keypoint_loss_weight=0.0)
    whole.run(Monitoring())
    other = tmp_path / "two"
    other.mkdir()
    first = learner(other, data, steps=4, keypoint_loss_weight=0.0)
    first.run(Monitoring(minutes=0))
    assert first.step == 1
    second = learner(other, data, steps=4, keypoint_loss_weight=0.0)
    assert second.step == 1
    second.run(Monitoring())
    for name, value in whole._model.state_dict().items():
        assert torch.equal(second._model.state_dict()[name], value), name
    assert isinstance(second._model, KeypointNetwork)


def test_the_card_says_that_looks_were_drawn(tmp_path, monkeypatch):
    class Words:
        id, sha256 = "words", "0" * 64

        def __init__(self, source=""):
            pass

        def __call__(self, texts):
            return training_data.texts(texts, 8)

    monkeypatch.setattr(rt1, "SentenceEncoder", Words)
    monkeypatch.setitem(rt1.size.__globals__["SIZES"], "small", TINY)
    with Writer(tmp_path / "looks.h5", Header("rtbench", TINY.image)) as writer:
        for number in range(8):
            writer.add(demonstration(number, OWN_LOOK if number % 4 == 0 else "0/0"))
    few = replace(OWN, schedule=replace(OWN.schedule, steps=2), batch=2, naming_loss_weight=1.0)
    plan = rt1.TrainingPlan(hyperparameters=few, encoder="words")
    folder = tmp_path / "looks"
    rt1.train([tmp_path / "looks.h5"], folder, plan, lambda _: None)
    origin = load_weights(folder / "policies" / "looks.safetensors").origin
    assert "6 of them in random looks" in origin.trained_on["about"]
    assert not origin.trained_on.get("variants"), "no background of the suite novel was seen"

    training_data.write(tmp_path / "plain.h5", range(4), TINY.image)
    with pytest.raises(rt1.SessionError, match="rtbench looks"):
        rt1.train([tmp_path / "plain.h5"], tmp_path / "plain", plan, lambda _: None)

"""The keypoint loss: where keypoints are in the image, and that a network learns them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from rtbench.core.rotation import rotate
from rtbench.core.seeding import generator
from rtbench.data.expert_env import LabellingKitchen
from rtbench.data.keypoints import FINE, HAND, POINTS, hand_pose, task_drawers
from rtbench.env.visibility import in_picture
from rtbench.policy.oracle.motion import TURN, View
from rtbench.policy.rt1.network import RT1
from rtbench.task.library import load_suite
from rtbench.task.suite import episodes
from rtbench.train.augment import Augmentation, augment, draw, shift_points
from rtbench.train.hyperparameters import OWN
from rtbench.train.keypoint_loss import KeypointNetwork, heatmap_loss, position_loss
from rtbench.train.training_loop import Monitoring
from tests.helpers import training_data
from tests.helpers.training_data import TINY

EYE, AXES, FOVY = np.array([0.0, 0.0, 1.0]), np.eye(3), 60.0
EDGE = math.tan(math.radians(30))
"""How far beside the axis the upper edge is at a distance of 1 m."""
NOWHERE = (math.nan, math.nan)


@pytest.mark.parametrize(
    ("place", "point"),
    [
        ((0, 0, 0), (0.5, 0.5)),
        ((0, EDGE * 0.999, 0), (0.5, 0.0005)),
        ((0, -EDGE / 2, 0), (0.5, 0.75)),
        ((EDGE * 320 / 256 / 2, 0, 0), (0.75, 0.5)),  # the picture is wider than tall
        ((0, EDGE * 1.001, 0), NOWHERE),
        ((0, 0, 2), NOWHERE),  # behind
        ((math.nan,) * 3, NOWHERE),
    ],
)
def test_a_place_shows_where_the_camera_sees_it(place, point):
    found = in_picture(np.array([place], dtype=float), EYE, AXES, FOVY)
    assert found[0] == pytest.approx(point, abs=1e-4, nan_ok=True)


@pytest.mark.parametrize(
    ("skill", "which"),
    [("pick", [0, 3]), ("place_into", [0, 1, 3]), ("move_near", [0, 1, 3]), ("close_drawer", [2, 3])],
)
def test_points_lie_on_the_things_themselves(skill, which):
    kitchen = LabellingKitchen()
    episode = next(
        e for e in episodes(load_suite("seen"), limit=40, skills=[skill], seed=3) if "drawer" not in e.task
        or skill == "close_drawer"
    )  # fmt: skip
    points = kitchen.begin(episode).points
    assert np.flatnonzero(np.isfinite(points).all(axis=1)).tolist() == which
    stage = kitchen._current()
    model = stage.scene.model
    names = [*kitchen.task.objects[:2], *task_drawers(kitchen.task, kitchen.world)]
    for name, point in zip(names, points[which[:-1]], strict=True):
        own = set(np.flatnonzero(model.geom_bodyid == model.body(name).id).tolist())
        pixels = kitchen._renderer().segment(stage.data, "head", only=own)
        rows, columns = np.nonzero(np.isin(pixels, list(own)))
        x, y = point * (320, 256)
        assert columns.min() <= x <= columns.max()
        assert rows.min() <= y <= rows.max()
    kitchen.close()


def test_points_move_with_the_picture():
    how = Augmentation(random_shift=(0.2, 0.2), brightness=0, contrast=0, saturation=0)
    height, width = 40, 60
    images = torch.zeros(8, 1, height, width, 3, dtype=torch.uint8)
    images[:, :, 20, 45] = 255  # the pixel's middle is at 45.5 of 60 and 20.5 of 40
    points = torch.full((8, 1, POINTS, 2), math.nan)
    points[:, :, 0] = torch.tensor([45.5 / width, 20.5 / height])
    points[:, :, 1] = torch.tensor([0.999, 0.5])
    drawn = draw(how, 8, height, width, generator("points"))
    shifted = shift_points(points, drawn, height, width)
    found = augment(images, drawn)
    for image, point in zip(found[:, 0, 0], shifted[:, 0, 0], strict=True):
        row, column = divmod(int(image.argmax()), width)
        assert point.tolist() == pytest.approx([(column + 0.5) / width, (row + 0.5) / height])
    right = torch.from_numpy(drawn.offsets[:, 1].copy()) > 0
    assert torch.equal(shifted[:, 0, 1].isnan().any(-1), right)  # at the edge: shifted right it is gone
    assert right.any()
    assert not right.all()
    assert shifted[:, :, 2].isnan().all()


def test_the_loss_is_least_where_the_point_is():
    points = torch.full((1, 2, POINTS, 2), math.nan)
    points[0, 0, 0] = torch.tensor([0.35, 0.8])
    valid = torch.ones(1, 2, dtype=torch.bool)
    cells = torch.zeros(1, 2, POINTS, 4, 5, requires_grad=True)
    loss = heatmap_loss(cells, points, valid)
    assert loss.item() == pytest.approx(math.log(20))
    loss.backward()
    downhill = -cells.grad
    assert int(downhill[0, 0, 0].argmax()) == 3 * 5 + 1  # fourth row, second column
    assert not downhill[0, 1].any()  # nothing is learnt where nothing is,
    assert not downhill[0, 0, 1:].any()
    assert heatmap_loss(cells, points, ~valid).item() == 0  # nor from frames that fill up a window


def test_the_keypoint_network_is_the_network_and_a_head():
    network = RT1(TINY).eval()
    model = KeypointNetwork(network).eval()
    images, text = torch.rand(2, 3, 3, *TINY.image), torch.randn(2, TINY.text)
    logits, cells, places, tokens, names = model(images, text)
    assert names is None
    assert torch.equal(logits, network(images, text))
    assert cells.shape == (2, 3, POINTS, *TINY.map)
    assert places.shape == (2, 3, HAND + 2 * POINTS)
    assert torch.equal(tokens[:, 1], network.image_tokens(images[:, 1], text))


def test_the_oracle_turns_to_the_heading_that_is_recorded():
    kitchen, turns, free = LabellingKitchen(cameras=()), 0, 0
    for episode in episodes(load_suite("seen"), limit=150, skills=["pick"], seed=5):
        seen = kitchen.begin(episode)
        (row,) = hand_pose(seen.proprio[None], seen.grip[None])
        heading = View(kitchen).hand_yaw
        assert row[4:6] == pytest.approx([math.cos(heading), math.sin(heading)], abs=1e-5)
        thing = kitchen.world.scene.objects[name := kitchen.task.objects[0]]
        stands = abs(rotate(kitchen.world.pose(name).quaternion, [0, 0, 1])[2]) > 0.9
        assert math.isnan(seen.grip[3]) == (thing.round and (stands or not thing.rest_lying))
        assert np.isfinite(row[6:10]).all() == math.isfinite(seen.grip[3])
        free += math.isnan(seen.grip[3])
        offset = kitchen.world.pose(name).position - kitchen.world.gripper().position
        assert np.linalg.norm(FINE * np.sinh(row[10:])) == pytest.approx(np.linalg.norm(offset), abs=1e-5)
        turn = math.atan2(row[9], row[8]) / 2
        if 0.1 < abs(turn) < 1.4 and "drawer" not in episode.task:
            turns += 1
            asked = kitchen.convention.decode(seen.label)[5]
            assert asked == pytest.approx(math.copysign(min(abs(turn), TURN), turn), abs=0.02)
    assert turns > 2
    assert free > 5
    kitchen.close()


def test_places_are_learnt_in_metres_and_shares_of_the_picture():
    hand = torch.tensor([0.8, -0.3, 1.05, 0.0, 0.0, -1.0, *[math.nan] * 7]).expand(2, 3, HAND)
    points = torch.full((2, 3, POINTS, 2), math.nan)
    points[:, :, 1] = torch.tensor([0.7, 0.45])
    valid = torch.tensor([[True, True, True], [True, False, False]])
    said = torch.full((2, 3, HAND + 2 * POINTS), 9.0)  # of things that are not there it may say anything
    said[:, :, :6] = torch.tensor([1.0, -2.0, 0.5, -1.0, 0.0, -2.0])
    said[:, :, HAND + 2 : HAND + 4] = torch.tensor([2.0, -0.5])
    said[1, 1:] = 9.0  # frames that fill up
    assert position_loss(said, hand, points, valid).item() == pytest.approx(0, abs=1e-5)
    said[0, 0, 0] += 0.8  # 8 cm in one of the eight numbers of one of four frames
    assert position_loss(said, hand, points, valid).item() == pytest.approx(0.8 / 8 / 4, abs=1e-5)
    said[0, 2, HAND + 3] -= 0.5  # and a twentieth of the picture's height
    assert position_loss(said, hand, points, valid).item() == pytest.approx(1.3 / 8 / 4, abs=1e-5)


def test_it_learns_keypoints_and_leaves_no_trace_in_the_weights(tmp_path):
    hyperparameters = replace(OWN, schedule=replace(OWN.schedule, lr=4e-3))
    learner = training_data.trainer(
        tmp_path, steps=150, demos=40, hyperparameters=hyperparameters, ema_decay=0, label_smoothing_bins=0
    )
    learner.run(Monitoring())
    assert learner.ema_network.state_dict().keys() == RT1(TINY).state_dict().keys()
    batch = learner._sampler.batch(np.array([[n, 0] for n in range(40)]))
    model = learner._model.eval()
    with torch.no_grad():
        cells = model(batch.images.movedim(-1, -3).float() / 255, learner._texts[batch.texts]).maps
    height, width = TINY.map
    x, y = batch.points[batch.valid][:, 0].T
    rows, columns = (y * height).long(), (x * width).long()
    guess = cells[batch.valid][:, 0].flatten(1).argmax(1)
    near = (guess // width - rows).abs() + (guess % width - columns).abs() <= 1
    assert near.float().mean() > 0.8

"""OpenVLA and Octo behind rtbench-client, with tiny models of the same interface."""

import sys

import numpy as np
import pytest

from tests.helpers.paths import ROOT
from tests.policy.remote.test_policy import frames, remote

sys.path.insert(0, str(ROOT / "plugins" / "client"))

import rtbench_client
from rtbench_client import octo, openvla


class TinyVLA:
    """Moves along x by the brightness of the image, and closes where the prompt asks to pick."""

    norm_stats = {"bridge_orig": {}}  # noqa: RUF012 - as of the model
    device, dtype = "cpu", np.float32

    def __init__(self):
        self.prompts = []

    def processor(self, prompt, image):
        self.prompts.append(prompt)
        assert image.size == (320, 256)
        return {"pixels": np.asarray(image), "prompt": prompt}

    def predict_action(self, pixels, prompt, unnorm_key, do_sample):
        assert (unnorm_key, do_sample) == ("bridge_orig", False)
        closes = "pick" in prompt
        return np.array([(int(pixels[0, 0, 0]) % 10) / 100, 0, 0, 0, 0, 0, 0.0 if closes else 1.0])


class TinyOcto:
    """A chunk that says how many images were there, and how bright the newest is."""

    dataset_statistics = {"bridge_dataset": {"action": {"mean": 0.0}}}  # noqa: RUF012 - as of the model

    def __init__(self):
        self.tasks, self.keys = [], []

    def create_tasks(self, texts):
        self.tasks += texts
        return texts

    def sample_actions(self, observation, task, unnormalization_statistics, rng):
        images, there = observation["image_primary"], observation["timestep_pad_mask"]
        assert images.shape == (1, 2, 256, 256, 3)
        assert unnormalization_statistics == {"mean": 0.0}
        self.keys.append(rng)
        row = [there.sum() / 1000, images[0, -1].mean() / 1e5, 0, 0, 0, 0, 1.0]
        return np.tile(np.array(row), (1, 4, 1))


def played(policy, action, count=3, **options):
    """Tokens of some steps of an episode, through a server."""
    with rtbench_client.Server(policy, action=action, port=0, **options) as server:
        far = remote(f"ws://127.0.0.1:{server.port}")
        far.reset(0, "Pick Apple", 5)
        tokens = [far.act([frame], [0])[0] for frame in frames(count)]
        report = far.episode_report(0)
        far.policy.close()
    return tokens, report


def test_an_openvla_is_played():
    model = TinyVLA()
    policy = openvla.OpenVLAPolicy(model, model.processor, "bridge_orig")
    tokens, report = played(policy, openvla.ACTIONS["bridge_orig"])
    assert model.prompts[0] == "In: What action should the robot take to pick apple?\nOut:"
    assert report["predictions"] == 3, "one action an answer"
    assert len({tuple(row) for row in tokens}) > 1, "the images matter"


def test_an_octo_is_played_with_its_window():
    model = TinyOcto()
    policy = octo.OctoPolicy(model, "bridge_dataset", lambda seed: seed)
    _, report = played(policy, octo.ACTIONS["bridge_dataset"], 9, history=octo.WINDOW)
    assert report["predictions"] == 3, "nine steps in chunks of four"
    assert model.tasks == ["pick apple"], "once an episode"
    assert model.keys[0] != model.keys[1]


def test_statistics_that_a_model_lacks_are_named():
    with pytest.raises(ValueError, match="it has bridge_orig"):
        openvla.OpenVLAPolicy(TinyVLA(), None, "libero")
    with pytest.raises(ValueError, match="it has bridge_dataset"):
        octo.OctoPolicy(TinyOcto(), "libero", int)


@pytest.mark.parametrize("module", [openvla, octo])
def test_units_that_nobody_knows_are_asked_for(module, capsys):
    with pytest.raises(SystemExit):
        module.main(["--model", "x", "--statistics", "mine"])
    assert "--action NAME" in capsys.readouterr().err

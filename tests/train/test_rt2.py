"""Co-fine-tuning of RT-2: what is mixed, stages, resume, and the card in the end."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rtbench.core.errors import MissingExtraError
from rtbench.data.plan_text import plan_places, plan_text
from rtbench.data.vision_language import read
from rtbench.policy.card import build, resolve
from rtbench.policy.rt1 import checkpoint as rt1_checkpoint
from rtbench.policy.rt1 import weights as rt1_weights
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt1.weights import CheckpointError
from rtbench.policy.rt2.checkpoint import load
from rtbench.policy.rt2.config import TINY
from rtbench.policy.rt2.instruction import TokenStates
from rtbench.policy.rt2.vocabulary import ANSWER, PLAN, Vocabulary
from rtbench.policy.text_encoder.encoder import ORDERED, SentenceEncoder
from rtbench.task.library import Library
from rtbench.train import dataset, metrics_log
from rtbench.train.augment import Augmentation
from rtbench.train.co_trainer import STAGES, CoTraining
from rtbench.train.first_weights import SessionError
from rtbench.train.hyperparameters import OWN
from rtbench.train.lr_schedule import Schedule
from rtbench.train.mixture import Mixer, Mixture, names_of, stream
from rtbench.train.resume import StateError
from rtbench.train.rt2 import TrainingPlan, train
from rtbench.train.token_sequences import IGNORED, PLACE, Speaker
from rtbench.train.token_states import TorchTokenStates
from rtbench.train.tunable import TuneError, last_layers, merged, with_lora
from tests.helpers import questions, training_data
from tests.helpers.rt2_models import make_network

SIZE = (32, 40)
HP = replace(
    OWN, schedule=Schedule(steps=6, lr=1e-3, grad_clip=1.0), batch=8, val_fraction=0.25, ema_decay=0.5,
    keypoint_loss_weight=0.0, naming_loss_weight=1.0,
)  # fmt: skip
TEXTS = ("pick coke can", "move yellow square near blue square", "zero one two three four")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    training_data.write(folder / "demos.h5", range(16), SIZE)
    questions.write(folder / "questions.h5", range(12), SIZE)
    return folder / "demos.h5", folder / "questions.h5"


def plan_of(**changes):
    return replace(TrainingPlan(size="tiny", hyperparameters=HP), **changes)


def run(files, folder, plan, said=None):
    return train([files[0]], [files[1]], folder, plan, (said if said is not None else []).append)


@pytest.fixture
def mixer(files, tmp_path):
    robot, other = dataset.load([files[0]], tmp_path), read(files[1])
    speaker = Speaker(Vocabulary.of_texts(TEXTS * 2), 24)
    texts = [*robot.instructions, *(pair.question for pair in other.pairs)]
    states = TorchTokenStates(8, texts)
    return Mixer(
        robot,
        other,
        speaker=speaker,
        states=states,
        vectors=SentenceEncoder(ORDERED),
        names=names_of(robot, other),
    )


def test_a_batch_has_both_kinds_and_places_follow_the_shift(mixer):
    windows = np.array([[0, 0], [3, 1]])
    shifted = Augmentation((0.2, 0.2), 0, 0, 0)
    samples = mixer.batch(windows, 7, Mixture(without_plan=0), shifted, stream(0, 3))
    assert [said.ids[0] for said in samples.said[:2]] == [PLAN, PLAN]
    assert len(samples.said) == len(samples.kinds) == len(samples.states) == 9
    assert {said.ids[0] for said in samples.said[2:]} <= {PLAN, ANSWER}
    assert samples.labels.shape == (2, 11)
    for k, said in list(enumerate(samples.said))[2:]:
        picture = int(samples.pictures[k])
        rows = [t for t, kind in zip(said.targets, said.kinds, strict=True) if kind == PLACE]
        for row, column in zip(rows[::2], rows[1::2], strict=True):
            if row != IGNORED and picture >= 0:
                y, x = row * SIZE[0] // 256, column * SIZE[1] // 256
                drawn = samples.drawn.offsets[picture]
                pixel = samples.images[picture, y - drawn[0], x - drawn[1]]
                assert int(pixel.max()) > 200, "the place is on a bright square of the shifted picture"


def test_robot_samples_act_by_their_plans_or_by_their_instructions(mixer):
    windows = np.array([[k, 1] for k in range(8)])
    for share, texts in ((0, mixer._plans), (1, [e.instruction for e in mixer._robot.episodes])):
        samples = mixer.batch(windows, 3, Mixture(without_plan=share), Augmentation(), stream(0, 1))
        assert (samples.plans == SentenceEncoder(ORDERED)([texts[k] for k in range(8)])).all()
        told = plan_places(mixer._robot.points.numpy())[mixer._first[:8]]
        assert np.array_equal(samples.told, np.full_like(told, np.nan) if share else told, equal_nan=True)
    nothing = mixer.batch(windows, 3, Mixture(actions=False), Augmentation(), stream(0, 1))
    assert not len(nothing.plans)


def test_batches_follow_from_seed_and_step(mixer):
    windows = np.array([[1, 0]])
    one, other, third = (
        mixer.batch(windows, 5, Mixture(), Augmentation(), stream(0, step)) for step in (4, 4, 5)
    )
    assert one.said == other.said
    assert one.said != third.said or (one.drawn.offsets != third.drawn.offsets).any()


def test_held_back_pictures_are_in_no_batch(mixer):
    mixer.hold_back(0.4)
    held = set(mixer.held_back.tolist())
    assert 0 < len(held) < len(read_pairs(mixer))
    drawn = {n for step in range(40) for n in mixer._pairs(12, Mixture(), stream(1, step))}
    assert not drawn & held
    assert drawn | held == set(range(len(read_pairs(mixer))))


def test_without_words_each_sample_is_another_picture(mixer):
    mixer.hold_back(0.4)
    samples = mixer.batch(np.zeros((0, 2), np.int64), 5, Mixture(words=False), OWN.augmentation, stream(1, 0))
    assert samples.said == ()
    drawn = [n for step in range(40) for n in mixer._pairs(12, Mixture(words=False), stream(1, step))]
    assert min(mixer._other.pictures[drawn]) >= 0
    assert not set(drawn) & set(mixer.held_back.tolist())


def read_pairs(mixer):
    return mixer._other.pairs


def test_stages_follow_each_other_and_the_card_plays(files, tmp_path):
    said, init = [], None
    for stage in STAGES:
        plan = plan_of(training=CoTraining(stage, Mixture()), init=init)
        result = run(files, tmp_path / stage, plan, said)
        assert result.ending.finished
        init = tmp_path / stage / "policies" / f"{stage}.safetensors"
    parts = {row["part"] for row in metrics_log.read(result.metrics)}
    assert {"training", "validation", "naming", "naming/card", "answers/where", "answers/plan"} <= parts
    assert any(line.strip().startswith("right answers") for line in said)
    assert result.curves.exists()
    card = resolve("actions", Library([tmp_path / "actions"]))
    assert "12 pictures" in card.trained_on.about
    assert card.trained_on.about.count("before that") == 2
    assert card.trained_on.tasks or card.trained_on.skills
    policy = build(card)
    policy.reset(0, "pick the square", 0)
    assert load(init).network.size == TINY


def test_a_stopped_training_goes_on_as_if_it_had_not(files, tmp_path):
    whole, halves = tmp_path / "a" / "x", tmp_path / "b" / "x"
    run(files, whole, plan_of())
    stopped = run(files, halves, plan_of(minutes=0))
    assert not stopped.ending.finished
    assert run(files, halves, plan_of()).ending.finished
    names = [folder / "policies" / "x.safetensors" for folder in (whole, halves)]
    one, other = (load(name).network.state_dict() for name in names)
    for name, value in one.items():
        assert torch.equal(value, other[name]), name
    with pytest.raises(StateError, match="mixture robot_share"):
        run(files, halves, plan_of(training=CoTraining(mixture=Mixture(robot_share=0.66))))


def test_another_rt1_may_act(files, tmp_path):
    acting = RT1(replace(TINY.motor, places=0), seed=5)
    trained = {"skills": ["drive"], "scenes": ["office_kitchen"], "objects": ["apple"]}
    path = tmp_path / "rt1.safetensors"
    rt1_checkpoint.save(path, acting, rt1_weights.Origin("words", "ab" * 32, trained, "long ago"))
    run(files, tmp_path / "first", plan_of(training=CoTraining("eyes")))
    init = tmp_path / "first" / "policies" / "first.safetensors"
    run(files, tmp_path / "second", plan_of(training=CoTraining("grounding"), init=init, motor=path))
    found = load(tmp_path / "second" / "policies" / "second.safetensors")
    assert found.network.size == TINY, "with room for places"
    expected = acting.state_dict() | {"places.conv.weight": torch.zeros(TINY.motor.features, 2, 1, 1)}
    for name, value in found.network.motor.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(value, expected[name], atol=2e-3, rtol=2e-3)
    assert "RT-1: long ago" in found.origin.about
    assert "drive" in found.origin.trained_on["skills"]
    wide = RT1(replace(TINY.motor, width=32), seed=5)
    rt1_checkpoint.save(path, wide, rt1_weights.Origin("words", "ab" * 32))
    with pytest.raises(CheckpointError, match="width is 32"):
        run(files, tmp_path / "third", plan_of(init=init, motor=path))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_one_kind_of_data_alone(files, tmp_path, share):
    mixture = Mixture(robot_share=share)
    data = ([files[0]], []) if share else ([], [files[1]])
    run(files, tmp_path / "eyes", plan_of(training=CoTraining("eyes")))
    init = tmp_path / "eyes" / "policies" / "eyes.safetensors"
    hp = replace(HP, naming_loss_weight=0.0)
    plan = plan_of(hyperparameters=hp, training=CoTraining(mixture=mixture, freeze_eyes=True), init=init)
    assert train(*data, tmp_path / "x", plan, print).ending.finished
    before, after = (
        load(path).network.eyes for path in (init, tmp_path / "x" / "policies" / "x.safetensors")
    )
    for name, value in before.state_dict().items():
        same = torch.equal(value, after.state_dict()[name])
        assert same == name.startswith(("backbone", "naming")), name


def test_data_without_names_needs_weights_that_have_some(files, tmp_path):
    with pytest.raises(SessionError, match="--init"):
        train([files[0]], [], tmp_path, plan_of(training=CoTraining(mixture=Mixture(robot_share=1.0))), print)


def test_the_trainings_token_states_are_the_policys():
    texts = ["pick the coke can", "", "put it on the table " * 30, "pick the coke can"]
    batched, single = TorchTokenStates(64, texts)(texts), TokenStates(64)
    for text, found in zip(texts, batched, strict=True):
        assert np.abs(found - single(text)).max() < 4e-3, "half precision"


def test_data_that_does_not_fit_the_mixture_is_refused(files, tmp_path):
    with pytest.raises(SessionError, match="--vqa FILE"):
        train([files[0]], [], tmp_path, plan_of(), print)
    with pytest.raises(SessionError, match="--data"):
        train([], [files[1]], tmp_path, plan_of(), print)
    wide = questions.write(tmp_path / "wide.h5", range(2), (16, 20))
    with pytest.raises(SessionError, match="16 x 20"):
        train([files[0]], [wide], tmp_path / "x", plan_of(), print)


def test_only_the_last_layers_are_trained():
    network = make_network()
    last_layers(network, 1)
    trained = {name.split(".")[0] + name[6:9] for name, p in network.named_parameters() if p.requires_grad}
    assert any(name.startswith("layers.1") for name in trained)
    assert not any(name.startswith(("layers.0", "eyes")) for name in trained)
    with pytest.raises(TuneError, match="--last-layers 9"):
        last_layers(network, 9)


def test_lora_without_peft_says_so(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    with pytest.raises(MissingExtraError, match="pip install 'peft"):
        with_lora(make_network(), 4)


def test_lora_trains_few_weights_and_is_merged_into_a_plain_network():
    pytest.importorskip("peft", reason="peft is not installed")
    plain, tuned = make_network(1), make_network(1)
    with_lora(tuned, 4)
    moved = [p for p in tuned.parameters() if p.requires_grad]
    with torch.no_grad():
        for weight in moved:
            weight.add_(0.05)
    found = merged(tuned, make_network(2))
    assert found.state_dict().keys() == plain.state_dict().keys()
    x = torch.randn(1, 5, TINY.width)
    expected, got = (network.layers[0](x, None) for network in (tuned.eval(), found))
    assert torch.allclose(expected, got, atol=1e-5)
    assert not torch.allclose(plain.eval().layers[0](x, None), got, atol=1e-3)


def test_plans_of_demonstrations():
    of = training_data.episode
    assert plan_text(of(1)) == "pick coke can"
    assert plan_text(replace(of(1), task="own/thing-v0")) == "pick the square"
    nan = [np.nan, np.nan]
    a, b, c = [0.1, 0.2], [0.3, 0.4], [0.5, 0.6]
    rows = [[a, nan, nan, nan], [a, b, nan, nan], [nan, nan, c, nan], [a, nan, c, nan]]
    points = np.array(rows, np.float32)
    found = plan_places(points).round(1).tolist()
    assert [[[round(v, 1) for v in p] for p in pair] for pair in found] == [[a, a], [a, b], [c, c], [a, c]]

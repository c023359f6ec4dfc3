"""The training loop: it learns, it stops in time, and it goes on as if it had never stopped."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from rtbench.core.action import DIMENSIONS
from rtbench.core.seeding import generator
from rtbench.policy.rt1.image import prepare
from rtbench.policy.rt1.network import RT1
from rtbench.train import resume
from rtbench.train.augment import to_float
from rtbench.train.hyperparameters import OWN, REFERENCE
from rtbench.train.lr_schedule import Schedule, clean_gradients, make_optimizer
from rtbench.train.metrics import Meter, Score, constant_score, majority
from rtbench.train.metrics_log import Measurement, MetricsLog, MetricsLogError, read
from rtbench.train.rt1 import flush_denormals
from rtbench.train.trainer import TrainingData
from rtbench.train.training_loop import Monitoring, TrainingError
from tests.helpers.paths import ROOT
from tests.helpers.training_data import TINY, trainer

OFTEN = Monitoring(log=5, validate=10, save_s=0)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)
    flush_denormals()


def _weights(folder):
    found = resume.read(folder, trainer(folder, steps=12)._settings)
    return {name: value for name, value in found.tensors.items() if name != "meter"}


def _same(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_the_rate_warms_up_and_decays():
    rates = [Schedule(lr=1.0, steps=100, warmup_steps=10).lr_at(step) for step in range(100)]
    assert rates[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert all(a >= b for a, b in pairwise(rates[10:]))
    assert rates[55] == pytest.approx(0.5, abs=0.01)
    assert rates[-1] < 0.01


def test_the_reference_is_what_was_published():
    rates = {REFERENCE.schedule.lr_at(step) for step in (0, 5000, 9999)}
    assert rates == {1e-4}
    optimizer = make_optimizer(REFERENCE.schedule, nn.Linear(2, 2))
    assert type(optimizer) is torch.optim.Adam
    assert all(group["weight_decay"] == 0 for group in optimizer.param_groups)
    assert (REFERENCE.label_smoothing_bins, REFERENCE.ema_decay, REFERENCE.schedule.grad_clip) == (0, 0, 0)


def test_biases_do_not_decay():
    decays = {
        p.ndim: group["weight_decay"]
        for group in make_optimizer(Schedule(weight_decay=0.1), nn.Linear(2, 2)).param_groups
        for p in group["params"]
    }
    assert decays == {2: 0.1, 1: 0.0}


def test_gradients_that_are_not_finite_become_zero():
    weight = nn.Parameter(torch.zeros(4))
    weight.grad = torch.tensor([1.0, float("nan"), float("inf"), -float("inf")])
    clean_gradients([weight, nn.Parameter(torch.zeros(1))])
    assert weight.grad.tolist() == [1, 0, 0, 0]


def test_the_majority_is_the_most_frequent_token_of_each_dimension():
    labels = np.array([[1] * 11, [1] * 11, [2] * 11], np.uint8)
    labels[:, 3] = 9
    tokens = majority(labels)
    assert tokens.tolist() == [1, 1, 1, 9, *[1] * 7]
    assert constant_score(tokens, labels).accuracy == pytest.approx([2 / 3] * 3 + [1] + [2 / 3] * 7)


def test_a_meter_weighs_frames_and_leaves_padding_out():
    meter = Meter(torch.device("cpu"))
    assert meter.score() is None
    labels = torch.zeros(2, 3, 11, dtype=torch.long)
    logits = torch.zeros(2, 3, 11, 256)
    logits[0, :, :, 0] = 1  # right in the first window
    logits[1, :, :, 7] = 1
    valid = torch.tensor([[True, True, True], [True, False, False]])
    meter.add(torch.tensor(2.0), logits, labels, valid)
    meter.add(torch.tensor(4.0), logits[:1], labels[:1], valid[:1])
    assert meter.score().loss == pytest.approx((4 * 2 + 3 * 4) / 7)
    assert meter.score().accuracy == pytest.approx([6 / 7] * 11)


def test_it_learns_what_is_seen_and_said(tmp_path):
    hyperparameters = replace(OWN, schedule=replace(OWN.schedule, lr=4e-3))
    learner = trainer(
        tmp_path, steps=300, demos=60, hyperparameters=hyperparameters, ema_decay=0.9, label_smoothing_bins=0
    )
    learner.run(Monitoring(log=20, validate=150))
    rows = read(tmp_path / "metrics.csv")
    losses = [float(row["loss"]) for row in rows if row["part"] == "training"]
    guessed = next(row for row in rows if row["part"] == "majority")
    last = [row for row in rows if row["part"] == "validation"][-1]
    assert losses[-1] < 0.5 * losses[0]
    assert float(last["accuracy"]) > float(guessed["accuracy"]) + 0.04
    assert float(last["gripper"]) > float(guessed["gripper"]) + 0.2  # it is what the words decide


def test_going_on_is_the_same_as_never_having_stopped(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    assert trainer(whole).run(OFTEN).finished
    ends = [trainer(parts).run(replace(OFTEN, minutes=0)) for _ in range(3)]
    assert [end.step for end in ends] == [1, 2, 3]
    assert not ends[-1].finished
    assert trainer(parts).run(OFTEN).finished
    _same(_weights(whole), _weights(parts))
    kept = ("step", "part", "loss", "accuracy", *DIMENSIONS, "learning_rate", "images")
    ours, theirs = ([{k: row[k] for k in kept} for row in read(p / "metrics.csv")] for p in (whole, parts))
    assert ours == theirs


CHILD = """
import sys, torch
from pathlib import Path
from rtbench.train.rt1 import flush_denormals
from rtbench.train.training_loop import Monitoring
from tests.helpers.training_data import trainer
torch.set_num_threads(1)
flush_denormals()
trainer(Path(sys.argv[1])).run(Monitoring(log=5, validate=10, save_s=0))
"""


def test_a_killed_training_goes_on_bit_for_bit(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    trainer(whole).run(OFTEN)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(killed)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    end = time.monotonic() + 60
    while not (killed / resume.FILE).exists() and child.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait()
    resumed = trainer(killed)
    assert 0 < resumed.step <= 12
    assert resumed.run(OFTEN).finished
    _same(_weights(whole), _weights(killed))


GROUP = """
import sys
from pathlib import Path
import torch
from rtbench.train.training_loop import Monitoring
from tests.helpers.training_data import trainer
torch.set_num_threads(1)
learner = trainer(Path(sys.argv[1]), bf16=True)
learner.run(Monitoring(log=4, validate=6))
sums = [float(p.double().sum()) for p in learner.ema_network.parameters()]
Path(sys.argv[1], f"{learner.accelerator.process_index}.txt").write_text(repr(sums))
"""


def test_two_processes_train_one_network(tmp_path):
    trainer(tmp_path)  # makes the file of demonstrations
    script = tmp_path / "group.py"
    script.write_text(GROUP)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [*launch, str(script), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = ((tmp_path / f"{rank}.txt").read_text() for rank in range(2))
    assert first == second  # each has seen half of a batch: without the other they would differ
    trained = [row for row in read(tmp_path / "metrics.csv") if row["part"] == "training"]
    assert [row["step"] for row in trained] == ["4", "8", "12"]  # one log


def test_it_stops_in_time_with_everything_saved(tmp_path):
    began = time.monotonic()
    end = trainer(tmp_path, steps=100_000).run(Monitoring(minutes=0.1, say=lambda _: None))
    assert time.monotonic() - began < 10
    assert not end.finished
    assert trainer(tmp_path, steps=100_000).step == end.step > 1


def test_ctrl_c_ends_it_after_a_step_with_everything_saved(tmp_path):
    learner = trainer(tmp_path, steps=100_000)
    end = learner.run(Monitoring(log=5, say=lambda _: os.kill(os.getpid(), signal.SIGINT)))
    assert end.interrupted
    assert end.step == 5
    assert trainer(tmp_path, steps=100_000).step == 5


def test_other_settings_or_data_are_not_gone_on_with(tmp_path):
    trainer(tmp_path).run(replace(OFTEN, minutes=0))
    with pytest.raises(resume.StateError, match="schedule steps 12, now it is 13"):
        trainer(tmp_path, steps=13)
    with pytest.raises(resume.StateError, match=r"begun with label_smoothing_bins 8\.0, now it is 0"):
        trainer(tmp_path, label_smoothing_bins=0)
    (tmp_path / "demos.h5").unlink()
    with pytest.raises(resume.StateError, match="begun with data"):
        trainer(tmp_path, demos=5)


def test_a_damaged_state_is_named(tmp_path):
    trainer(tmp_path).run(replace(OFTEN, minutes=0))
    path = tmp_path / resume.FILE
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(resume.StateError, match=r"state\.safetensors: damaged.*Delete it"):
        trainer(tmp_path)


def test_a_loss_that_is_no_number_ends_it(tmp_path):
    learner = trainer(tmp_path)
    with torch.no_grad():
        next(learner.ema_network.parameters())  # the average is of no account here
        next(learner._network.parameters()).fill_(float("nan"))
    with pytest.raises(TrainingError, match="after step 5; lower --lr"):
        learner.run(OFTEN)
    assert "nan" not in (tmp_path / "metrics.csv").read_text()


def test_the_average_lags_behind_and_zero_is_none(tmp_path):
    for name, decay in (("none", 0.0), ("long", 0.9)):
        (tmp_path / name).mkdir()
        learner = trainer(tmp_path / name, ema_decay=decay)
        learner.run(OFTEN)
        pairs = zip(learner.ema_network.parameters(), learner._network.parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs) == (decay == 0)


def test_evaluation_is_asked_for_when_due_and_changes_no_weight(tmp_path):
    quiet, played = tmp_path / "quiet", tmp_path / "played"
    quiet.mkdir()
    played.mkdir()
    trainer(quiet).run(OFTEN)
    steps = []

    def evaluator(network, step):
        steps.append(step)
        torch.rand(1)
        network.eval()
        return 1, 4

    trainer(played).run(replace(OFTEN, evaluate=5, evaluator=evaluator))
    assert steps == [5, 10, 12]
    rows = [row for row in read(played / "metrics.csv") if row["part"] == "play"]
    assert [(row["success"], row["episodes"]) for row in rows] == [("0.25", "4")] * 3
    _same(_weights(quiet), _weights(played))


def test_a_log_drops_what_will_be_measured_again(tmp_path):
    score = Score(1.5, (0.5,) * 11)
    log = MetricsLog(tmp_path, "rt1", step=0)
    for step in (10, 20, 30):
        log.write(Measurement(step, "training", score=score))
    log.close()
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("40,trai")
    again = MetricsLog(tmp_path, "rt1", step=20)
    again.write(Measurement(30, "play", success=0.5, episodes=2))
    again.close()
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["step"], row["part"]) for row in rows] == [
        ("10", "training"),
        ("20", "training"),
        ("30", "play"),
    ]
    assert rows[0]["mode"] == "0.5"


def test_a_log_is_of_a_training(tmp_path):
    with pytest.raises(MetricsLogError, match="cannot be read"):
        read(tmp_path / "metrics.csv")
    (tmp_path / "metrics.csv").write_text("a,b\n1,2\n")
    with pytest.raises(MetricsLogError, match="not what a training writes"):
        read(tmp_path / "metrics.csv")


def test_settings_name_every_choice():
    assert OWN.settings()["schedule lr"] == 1e-3
    assert OWN.settings()["augmentation random_shift"] == (0.01, 0.01)


def test_the_reference_divides_its_loss_as_published(tmp_path):
    losses = []
    for scaled in (True, False):
        learner = trainer(tmp_path, hyperparameters=replace(REFERENCE, published_loss_scale=scaled))
        losses.append(learner._loss(np.array([[0, 0], [1, 0]])).item())
    assert REFERENCE.published_loss_scale
    assert losses[1] / losses[0] == pytest.approx(4 * TINY.frames * (TINY.tokens + 11))


@pytest.mark.parametrize("published", [True, False])
def test_images_are_resized_as_in_an_episode(tmp_path, published):
    network = RT1(replace(TINY, action_embedding=published))
    pixels = generator("pixels").integers(0, 256, (2, 96, 120, 3), dtype=np.uint8)
    data = trainer(tmp_path)
    learner = trainer(tmp_path, given=(TrainingData(data._data, data._texts.numpy()), network))
    found = learner._resized(to_float(torch.from_numpy(pixels))[None])[0]
    expected = torch.from_numpy(prepare(list(pixels), TINY.image, published=published))
    torch.testing.assert_close(found, expected, atol=0.006, rtol=0)  # means are whole numbers of 255 there


def test_a_state_of_an_earlier_version_is_refused(tmp_path):
    trainer(tmp_path).run(replace(OFTEN, minutes=0))
    path = tmp_path / resume.FILE
    with safetensors.safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        about = {key: value for key, value in file.metadata().items() if key != "schema"}
    safetensors.torch.save_file(tensors, path, about)
    with pytest.raises(resume.StateError, match=r"another version of rtbench.*another --output"):
        trainer(tmp_path)

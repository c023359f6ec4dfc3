"""Distillation: the student's loss, and `rtbench distill` from an RT-2 to a policy of RT-1's kind."""

from dataclasses import replace

import pytest
import torch

from rtbench.policy.rt1 import config
from rtbench.policy.rt1.checkpoint import load
from rtbench.policy.rt2.checkpoint import save
from rtbench.train.rt1 import flush_denormals
from tests.helpers import training_data
from tests.helpers.commands import rtbench
from tests.helpers.rt2_models import make_model

STUDENT = replace(training_data.TINY, text=768, frames=1)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    torch.set_num_threads(1)
    flush_denormals()
    monkeypatch.setitem(config.SIZES, "small", STUDENT)


@pytest.fixture
def teacher(tmp_path):
    save(tmp_path / "teacher.safetensors", make_model())
    return tmp_path / "teacher.safetensors"


@pytest.fixture
def demos(tmp_path):
    return training_data.write(tmp_path / "demos.h5", range(10), STUDENT.image)


def distil(teacher, demos, output, *more):
    options = ("--steps", 6, "--batch", 4, "--episodes", 0, "--threads", 1)
    return rtbench("distill", teacher, "--data", demos, "--output", output, *options, *more)


def test_a_student_is_trained_and_its_card_names_the_teacher(tmp_path, teacher, demos):
    said = distil(teacher, demos, tmp_path / "student")
    assert (said.code, said.err) == (0, "")
    found = load(tmp_path / "student" / "policies" / "student.safetensors")
    assert "distilled from teacher.safetensors" in found.origin.trained_on["about"]
    assert "step 6/6" in said.out or "card" in said.out
    again = distil(teacher, demos, tmp_path / "student", "--temperature", 3)
    assert again.code != 0
    assert "temperature" in again.err


def test_a_student_that_cannot_learn_from_it_is_refused(tmp_path, teacher, demos, monkeypatch):
    monkeypatch.setitem(config.SIZES, "small", replace(STUDENT, frames=6))
    said = distil(teacher, demos, tmp_path / "student")
    assert said.code == 2
    assert "sees 6 frames" in said.err

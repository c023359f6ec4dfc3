"""Runs of Google's robot by the command line: recorded, verified and reported, under both controllers."""

from __future__ import annotations

import json
import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from rtbench.core.seeding import generator
from tests.helpers import menagerie
from tests.helpers.commands import rtbench
from tests.helpers.google_checkpoints import as_saved, fake_tensorflow, values, write_files
from tests.helpers.paths import ROOT


@pytest.fixture(autouse=True)
def _robot(monkeypatch):
    menagerie.root(monkeypatch)


def play(out, *arguments):
    """A run in `out`; its folder."""
    said = rtbench("run", "--suite", "simpler", "--jobs", 1, "--out", out, *arguments)
    assert said.code == 0, said.err
    (folder,) = out.glob("*/simpler/*")
    return folder


def test_a_run_whose_instruction_changes_is_verified_bit_for_bit(tmp_path):
    robot = "google_robot:simpler"
    folder = play(tmp_path, "--policy", "oracle", "--robot", robot, "--skill", "simpler_place", "-n", 1)
    (record,) = map(json.loads, (folder / "episodes.jsonl").read_text().splitlines())
    assert record["episode"]["robot"] == robot
    said = rtbench("verify", folder, "--jobs", 1)
    assert said.code == 0, said.out
    assert "1 of 1 episodes confirmed" in said.out


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not os.environ.get("RTBENCH_TEST_ALL"), reason="a minute; RTBENCH_TEST_ALL=1 runs it")
def test_a_checkpoint_with_the_released_names_goes_from_import_to_report(tmp_path, monkeypatch):
    from rtbench.policy.rt1.google_checkpoint import PAPER

    tensorflow = fake_tensorflow(as_saved(values(PAPER)))
    tensorflow.saved_model = SimpleNamespace(load=lambda folder: sentence_vectors)
    monkeypatch.setitem(sys.modules, "tensorflow", tensorflow)
    content, encoder = tmp_path / "mine", tmp_path / "encoder"
    (content / "policies").mkdir(parents=True)
    (content / "policies" / "rt1main.yaml").write_text(card())
    weights = content / "policies" / "rt1main.safetensors"
    encoder.mkdir()
    (encoder / "saved_model.pb").write_bytes(b"")
    said = rtbench("import", "rt1", write_files(tmp_path / "rt1main"), "--output", weights)
    assert (said.code, said.err) == (0, "")

    told = ("--policy", "rt1main", "--content", content, "--policy-arg", f"encoder={encoder}")
    folder = play(tmp_path / "runs", *told, "--robot", "google_robot:simpler", "-n", 1)
    (record,) = map(json.loads, (folder / "episodes.jsonl").read_text().splitlines())
    assert record["error"] is None
    assert (record["episode"]["robot"], record["convention"]) == ("google_robot:simpler", "rt1-reference")
    assert "1 of 1 episodes confirmed" in rtbench("verify", folder, "--jobs", 1).out
    page = tmp_path / "report.html"
    said = rtbench("report", folder, "--content", content, "--output", page)
    assert (said.code, said.err) == (0, "")
    assert "simpler" in page.read_text()


def card():
    """The card that the page about the robot shows."""
    text = (ROOT / "docs" / "google-robot.md").read_text()
    return text.split("```yaml\n")[1].split("```")[0]


def sentence_vectors(texts):
    """Vectors float32[n, 512] of norm one in place of Universal Sentence Encoder's."""
    vectors = [generator("sentence", text).standard_normal(512) for text in texts]
    return np.array([vector / np.linalg.norm(vector) for vector in vectors], dtype=np.float32)

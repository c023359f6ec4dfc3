"""The RT-1 that comes with the package: complete, small, and trained on nothing that is held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rtbench.policy import card as cards
from rtbench.policy.rt1.checkpoint import load
from rtbench.task.library import load_suite
from rtbench.task.suite import episodes
from rtbench.testing import check_policy
from tests.helpers.commands import rtbench

MOST_BYTES = 30_000_000
HELD_OUT = ("unseen_instructions", "unseen_objects", "unseen_paraphrases", "environments", "backgrounds")


@pytest.fixture(scope="module")
def card():
    return cards.resolve("rt1")  # checks the hash


def test_its_weights_are_small_and_say_where_they_come_from(card):
    weights = Path(card.weights)
    assert weights.suffix == ".safetensors"
    assert weights.stat().st_size < MOST_BYTES
    origin = load(weights).origin
    assert origin.trained_on["about"] == card.trained_on.about
    assert "by oracle" in origin.about
    assert card.weights_from


def test_nothing_that_is_held_out_was_trained_on(card):
    known = cards.coverage(card)
    novel = episodes(load_suite("novel"), rounds=1)
    held_out = [e for e in novel if e.axis.partition("/")[0] in HELD_OUT and e.split != "seen"]
    assert len(held_out) > 20
    assert [e.key for e in held_out if not known.novelties(e)] == []
    seen = episodes(load_suite("seen"), rounds=10)
    assert np.mean([bool(known.novelties(episode)) for episode in seen]) < 0.05


def test_it_is_a_policy(card):
    check_policy(cards.build(card))


def test_it_plays_a_novel_episode(tmp_path):
    said = rtbench("run", "--policy", "rt1", "--suite", "novel", "--limit", 1, "-j", 1, "--out", tmp_path)
    assert said.code == 0, said.err
    assert "rt1 on novel" in said.out

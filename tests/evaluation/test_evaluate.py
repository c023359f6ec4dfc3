"""Which episodes `evaluate` plays, and what it shows on the way."""

from __future__ import annotations

import sys
from dataclasses import replace
from io import StringIO

import pytest

from rtbench.core.errors import RunError, UnknownNameError
from rtbench.evaluation.evaluate import Options, evaluate
from rtbench.evaluation.progress import Silent
from rtbench.policy.card import Card
from rtbench.task.training_coverage import TrainedOn
from tests.helpers import menagerie
from tests.helpers.runs import FACTORY, POLICIES, TOLERANT, episodes

PUSHER = f"{POLICIES}:Pusher"


class Terminal(StringIO):
    def isatty(self):
        return True


def play(out, chosen, reporter=None, **choice):
    options = Options(factory=FACTORY, limits=TOLERANT, reporter=reporter)
    return evaluate(PUSHER, chosen, out=out, workers=1, options=options, **choice)


def test_episodes_are_chosen_by_name(tmp_path):
    run = play(tmp_path, "seen", skills=["pick", "knock_over"], axes=["seen"], rounds=3, limit=5, seed=2)
    assert len(run.records) == run.meta.episodes == 5
    assert {record.episode.skill for record in run.records} == {"pick", "knock_over"}
    assert all(record.episode.seed >= 200_000 for record in run.records)


@pytest.mark.parametrize(
    ("choice", "match"),
    [
        ({"skill": ["pick"]}, "unknown argument 'skill'. Did you mean 'skills'"),
        ({"skills": ["pik"]}, "Did you mean 'pick'"),
        ({"axes": ["sen"]}, "Did you mean 'seen'"),
    ],
    ids=str,
)
def test_a_wrong_choice_is_told_with_the_nearest(tmp_path, choice, match):
    with pytest.raises(UnknownNameError, match=match):
        play(tmp_path, "seen", **choice)
    assert list(tmp_path.iterdir()) == []


def test_a_list_of_episodes_is_chosen_already(tmp_path):
    with pytest.raises(RunError, match=r"limit: these choose from a suite.*rtbench\.episodes"):
        play(tmp_path, episodes(3), limit=2)


def test_progress_is_shown_on_a_terminal_only(tmp_path, monkeypatch):
    for number, (stream, reporter) in enumerate(
        [(Terminal(), None), (StringIO(), None), (Terminal(), Silent())]
    ):
        monkeypatch.setattr(sys, "stderr", stream)
        play(tmp_path / str(number), episodes(2), reporter)
        assert ("2/2" in stream.getvalue()) is (number == 0)


class Told(Silent):
    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)


def test_a_policy_that_was_trained_on_another_robot_is_told_and_all_is_novel_to_it(tmp_path, monkeypatch):
    menagerie.root(monkeypatch)
    told = Told()
    options = Options(factory=FACTORY, limits=TOLERANT, reporter=told)
    trained = TrainedOn(skills=["pick"], scenes=["office_kitchen"])
    card = Card(name="Pusher", factory=PUSHER, summary="", trained_on=trained)
    chosen = [replace(episode, robot="google_robot:simpler") for episode in episodes(2)]
    run = evaluate(card, chosen, out=tmp_path, workers=1, options=options)
    assert (
        "Pusher was trained on panda_omron, not on google_robot: all its episodes count as novel."
        in told.lines
    )
    assert all("robot google_robot:simpler" in run.meta.novelties[e.key] for e in chosen)

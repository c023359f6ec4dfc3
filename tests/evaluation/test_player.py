"""Strangers' policies: made and called in one thread, never able to end or to rename a run."""

import asyncio
import json
import sys

import pytest

from rtbench.core.errors import PolicyError
from rtbench.core.importing import load_object
from rtbench.evaluation.plan import Limits
from rtbench.evaluation.player import player_of
from rtbench.policy.card import Card
from rtbench.policy.thread import PolicyThread
from rtbench.testing import check_policy
from tests.helpers.odd_policies import Bound
from tests.helpers.paths import HELPERS
from tests.helpers.runs import Listener, by_seed, episode, episodes, play

ODD = "tests.helpers.odd_policies"


def card(name, **arguments):
    return Card(name=name, factory=f"{ODD}:{name}", summary="", arguments=arguments)


@pytest.mark.parametrize("made", ["by name", "as an object"])
def test_a_policy_lives_in_one_thread(tmp_path, made):
    policy = card("Bound") if made == "by name" else None
    if policy is None:
        # Made in this thread: gradient mode comes along, the thread itself cannot.
        class Moved(Bound):
            def check(self):
                import torch

                assert not torch.is_grad_enabled()

        import torch

        asyncio.set_event_loop(asyncio.new_event_loop())
        policy = Moved()
        try:
            run = play(tmp_path, episodes(2), policy)
        finally:
            torch.set_grad_enabled(True)
            asyncio.get_event_loop().close()
            asyncio.set_event_loop(None)
    else:
        run = play(tmp_path, episodes(2), policy)
    assert [record.error for record in run.records] == [None, None]


def test_check_policy_makes_and_calls_in_one_thread_too():
    assert len(check_policy(Bound)) > 3
    bound = PolicyThread()
    elsewhere = bound.call(Bound)
    with pytest.raises(PolicyError, match="called in another thread than it was made in"):
        check_policy(elsewhere)
    bound.close()


def test_a_policy_cannot_end_the_run(tmp_path):
    chosen = [episode(1, instruction="exit"), *episodes(5)[2:]]
    run = play(tmp_path, chosen, card("Exits"), workers=1)
    found = by_seed(run)
    assert "sys.exit(1)" in found[1].error.message
    assert found[1].error.kind == "policy"
    assert sum(record.outcome is not None for record in run.records) == len(run.records) - 1
    with pytest.raises(PolicyError, match=r"sys\.exit\(0\) while it was made"):
        player_of(card("ExitsAtOnce"))


def test_a_policy_does_not_read_our_command_line(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["rtbench", "run", "--policy", "x"])
    assert player_of(card("Parses")).policy.device == "cpu"
    assert sys.argv == ["rtbench", "run", "--policy", "x"]


def test_first_calls_have_a_limit_of_their_own(tmp_path):
    limits = Limits(policy_s=0.2, first_call_s=30.0, error_share=1.0)
    run = play(tmp_path, episodes(4), card("Compiles", first_s=0.5), workers=2, limits=limits)
    assert [record.error for record in run.records] == [None] * 4
    late = play(tmp_path, [episode(1, instruction="hang here")], card("Compiles", first_s=0.0),
                limits=Limits(policy_s=0.2, error_share=1.0))  # fmt: skip
    (record,) = late.records
    assert record.error.kind == "policy_timeout"
    assert "within 0.2 s; --policy-timeout SECONDS allows more" in record.error.message
    (slow,) = play(tmp_path, [episode(1)], card("Compiles", first_s=5.0),
                   limits=Limits(policy_s=0.1, first_call_s=0.2, error_share=1.0)).records  # fmt: skip
    assert "within 0.2 s, its first call of this kind" in slow.error.message


def test_errors_are_played_again_once_their_cause_is_gone(tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("yes")
    chosen = [episode(1, instruction="mend this"), *episodes(5)[2:]]
    policy = load_object(f"{ODD}:Mends")(str(broken))
    first = play(tmp_path, chosen, policy)
    assert by_seed(first)[1].error.message.startswith("ValueError: not yet")
    broken.write_text("no")
    listener = Listener()
    kept = play(tmp_path, chosen, policy, keep_errors=True, reporter=listener)
    assert by_seed(kept)[1].error
    assert any("nothing was played: shown from 20" in said for said in listener.said)
    assert len(json.loads((kept.path / "run.json").read_text())["sessions"]) == 1
    listener = Listener()
    again = play(tmp_path, chosen, policy, reporter=listener)
    assert again.path == first.path
    assert by_seed(again)[1].error is None
    assert "1 episodes that were errors are played again" in listener.said[0]
    assert again.summary.overall.errors == 0
    assert any("the last record of each counts" in note for note in again.notes)


def test_fresh_plays_anew_and_sets_the_old_run_aside(tmp_path):
    first = play(tmp_path, episodes(2))
    stamp = (first.path / "episodes.jsonl").read_bytes()
    second = play(tmp_path, episodes(2), fresh=True)
    assert second.path == first.path
    aside = first.path.parent / "replaced" / f"{first.path.name}-1"
    assert (aside / "episodes.jsonl").read_bytes() == stamp
    assert len(second.records) == 2


def test_a_file_that_is_overwritten_makes_another_run(tmp_path):
    weights = tmp_path / "last.bin"
    weights.write_text("yes")
    mine = Card(name="Mends", factory=f"{HELPERS / 'odd_policies.py'}:Mends", summary="",
                arguments={"broken": str(weights)})  # fmt: skip
    first = play(tmp_path, episodes(1), mine)
    weights.write_text("no")
    assert play(tmp_path, episodes(1), mine).path != first.path


def test_an_edited_file_is_played_as_it_stands(tmp_path):
    path = tmp_path / "pol.py"
    text = (HELPERS / "fake_policies.py").read_text()
    path.write_text(text)
    mine = Card(name="Pusher", factory=f"{path}:Pusher", summary="")
    first = play(tmp_path, episodes(1), mine)
    path.write_text(text.replace("0.04 +", "0.08 +"))
    second = play(tmp_path, episodes(1), mine)
    assert second.path != first.path
    assert second.records[0].tokens != first.records[0].tokens, "the old code was played"


def test_a_renewed_policy_must_be_the_same(tmp_path):
    weights = tmp_path / "w"
    weights.write_text("no")
    player = player_of(card("Mends", broken=str(weights)))
    assert player.renew() is not None
    weights.write_text("other")
    with pytest.raises(PolicyError, match="changed while the run was going on"):
        player.renew()


def test_a_file_that_changes_while_the_policy_reads_it_is_refused(tmp_path):
    weights = tmp_path / "last.bin"
    weights.write_text("one")
    path = tmp_path / "pol.py"
    path.write_text(
        "from pathlib import Path\nfrom rtbench.policy.baselines import NoopPolicy\n\n\n"
        "class P(NoopPolicy):\n    def __init__(self, weights):\n        super().__init__()\n"
        "        Path(weights).write_text('two')\n"
    )
    mine = Card(name="P", factory=f"{path}:P", summary="", arguments={"weights": str(weights)})
    with pytest.raises(PolicyError, match="changed while it was read"):
        player_of(mine)
    assert player_of(mine).identity["files"]["weights"], "now it stays what it is"

"""Whole runs with real worker processes, and everything that may go wrong in one."""

import json

import pytest

from rtbench.core.errors import Exit, PolicyError, RunError
from rtbench.core.importing import load_object
from rtbench.evaluation.ending import TooManyErrorsError
from rtbench.evaluation.plan import Limits
from rtbench.evaluation.replay import verify
from rtbench.result.run import load_run
from rtbench.result.summary import read_summary
from tests.helpers.runs import FAKE, POLICIES, FakeEnv, Listener, by_seed, episode, episodes, essence, play


def test_workers_order_place_and_images_do_not_matter(tmp_path):
    chosen = episodes(9)
    one = play(tmp_path / "1", chosen, workers=1)
    assert len(one.records) == 9
    assert all(record.outcome.end for record in one.records)
    assert essence(play(tmp_path / "3", chosen[::-1], workers=3)) == essence(one)
    assert essence(play(tmp_path / "images", chosen, "Watcher", workers=1)) == essence(one)
    assert essence(play(tmp_path / "inside", chosen, "Seer", workers=2)) == essence(one)
    alone = play(tmp_path / "alone", chosen[4:5])
    assert essence(alone).items() <= essence(one).items()
    assert verify(FakeEnv(), one.records[0]) == []


def test_a_run_says_where_it_comes_from(tmp_path):
    run = play(tmp_path, episodes(2))
    meta = json.loads((run.path / "run.json").read_text())
    assert (meta["suite"], meta["episodes"], meta["policy"]["name"]) == ("fake", 2, "Pusher")
    assert (len(meta["policy"]["source"]), len(meta["content_hash"])) == (12, 64)
    (session,) = meta["sessions"]
    assert session["environment"]["renderer"] == "fake"
    assert session["packages"]["numpy"]
    assert session["machine"]["cpu"]
    assert run.path == tmp_path / "Pusher" / "fake" / meta["id"]
    assert read_summary(run.path) == run.summary


def test_the_same_call_returns_the_finished_run_and_other_settings_make_another(tmp_path):
    first = play(tmp_path, episodes(3), workers=1)
    stamp = (first.path / "episodes.jsonl").stat().st_mtime_ns
    again = play(tmp_path, episodes(3)[::-1], workers=2, video="fail")
    assert again.path == first.path
    assert (first.path / "episodes.jsonl").stat().st_mtime_ns == stamp
    paths = {
        play(tmp_path, episodes(3), workers=1, profile="full").path,
        play(tmp_path, episodes(3), workers=1, control_hz=10).path,
        play(tmp_path, episodes(2), workers=1).path,
        play(tmp_path, episodes(3), workers=1, arguments={"hang_s": 1}).path,
    }
    assert len(paths | {first.path}) == 5


def test_latency_is_part_of_the_run_and_costs_decisions(tmp_path):
    from rtbench.evaluation.latency import Latency

    chosen = [episode(1, horizon=6)]
    free = play(tmp_path, chosen).records[0]
    slow = play(tmp_path, chosen, latency=Latency((333.0,)))
    assert slow.records[0].outcome.steps == 3 < free.outcome.steps
    assert slow.meta.settings.latency_ms == (333.0,)


BAD = {
    2: ("raise here", "policy", "ValueError: no weights for this"),
    3: ("nan here", "policy_output", "pitch"),
    5: ("short here", "policy_output", "expected (1, 11)"),
    6: ("unresettable", "policy", "KeyError"),
}


@pytest.mark.parametrize("policy", ["Pusher", "Seer"])
def test_a_bad_episode_is_an_error_with_its_reason_and_harms_no_other(tmp_path, policy):
    chosen = [episode(i, instruction=BAD[i][0]) if i in BAD else episode(i) for i in range(8)]
    run = play(tmp_path / "bad", chosen, policy, workers=2)
    good = play(tmp_path / "good", [e for e in chosen if e.seed not in BAD], workers=1)
    found = by_seed(run)
    for seed, (_, kind, message) in BAD.items():
        assert found[seed].error.kind == kind
        assert message in found[seed].error.message
        assert found[seed].outcome is None
    assert "fake_policies.py" in found[2].error.traceback
    assert len(found[2].token_rows) == 3, "the tokens before the fault are kept"
    assert essence(good).items() <= essence(run).items()
    assert (run.summary.overall.errors, run.summary.overall.successes) == (4, 4)


def test_a_batch_that_fails_as_a_whole_is_played_again_one_by_one(tmp_path):
    bad = {1: "short here", 4: "raise here"}
    chosen = [episode(i, instruction=bad.get(i, "push")) for i in range(6)]
    # Who asks together is a matter of time: on a busy machine the bad ones may each ask alone.
    for attempt in range(10):
        policy = load_object(f"{POLICIES}:Tardy")()
        run = play(tmp_path / f"bad{attempt}", chosen, policy, workers=3)
        assert max(policy.resets.values()) <= 2, "an episode was played again more than once"
        if max(policy.resets.values()) == 2:
            break
    assert max(policy.batches) > 1, "nothing was batched: the test is void"
    assert max(policy.resets.values()) == 2, "no batch failed as a whole: the test is void"
    good = play(tmp_path / "good", [e for e in chosen if e.seed not in bad], workers=1)
    assert {seed for seed, record in by_seed(run).items() if record.error} == set(bad)
    assert essence(good).items() <= essence(run).items()


@pytest.mark.parametrize("policy", ["Pusher", "object"])
def test_a_policy_that_hangs_costs_only_its_episode(tmp_path, policy):
    if policy == "object":
        policy = load_object(f"{POLICIES}:Pusher")(hang_s=1.0)
    # The others are in the middle of a step when the policy loses its memory.
    chosen = [episode(1, instruction="hang here"), *episodes(6, variant="slow:0.02")[2:]]
    limits = Limits(policy_s=0.3, first_call_s=0.3, error_share=1.0)
    run = play(tmp_path, chosen, policy, workers=2, limits=limits)
    found = by_seed(run)
    assert found[1].error.kind == "policy_timeout"
    assert "0.3 s" in found[1].error.message
    assert sum(record.outcome is not None for record in found.values()) == 4
    assert run.notes == ()


def test_a_simulator_that_raises_or_cannot_place_is_an_error_of_that_episode(tmp_path):
    chosen = [episode(0, variant="raise"), episode(1, variant="crowded"), episode(2)]
    found = by_seed(play(tmp_path, chosen, workers=1))
    assert found[0].error.kind == found[1].error.kind == "environment"
    assert "unstable" in found[0].error.message
    assert "_misbehave" in found[0].error.traceback
    assert found[1].error.message == "the cart does not fit: 3 cm missing."
    assert found[2].outcome.end


@pytest.mark.parametrize("policy", ["Pusher", "Seer"])
def test_an_episode_that_hangs_in_the_simulator_is_an_error(tmp_path, policy):
    chosen = [episode(0, variant="hang"), *episodes(4)[1:]]
    run = play(tmp_path, chosen, policy, limits=Limits(step_s=0.5, error_share=1.0))
    found = by_seed(run)
    assert found[0].error.kind == "worker_timeout"
    assert all(found[i].outcome for i in (1, 2, 3))


@pytest.mark.parametrize("policy", ["Pusher", "Seer"])
def test_a_killed_worker_costs_nothing_the_first_time_and_one_episode_the_second(tmp_path, policy):
    listener = Listener()
    flag = tmp_path / "died"
    chosen = [episode(0, variant=f"die_once:{flag}"), episode(1, variant="die"), *episodes(6)[2:]]
    run = play(tmp_path / "runs", chosen, policy, reporter=listener)
    found = by_seed(run)
    assert flag.exists()
    assert found[0].outcome.end
    assert found[1].error.kind == "worker_died"
    assert "SIGKILL" in found[1].error.message
    assert "2 times" in found[1].error.message
    assert "last words" in found[1].error.traceback
    assert all(found[i].outcome.end for i in (2, 3, 4, 5))
    assert len(run.records) == 6
    assert sum("run again" in text for text in listener.said) == 2
    assert listener.seen.count(None) == 1


def test_too_many_errors_stop_the_run(tmp_path):
    chosen = [episode(i, instruction="raise here" if i % 2 else "push") for i in range(40)]
    with pytest.raises(TooManyErrorsError, match=r"of 10 episodes were errors.*ValueError") as error:
        play(tmp_path, chosen, workers=1, limits=Limits())
    assert error.value.exit_code == Exit.TOO_MANY_ERRORS
    (folder,) = (tmp_path / "Pusher" / "fake").iterdir()
    assert len(load_run(folder).records) == 10
    assert json.loads((folder / "summary.json").read_text())["complete"] is False


def test_few_errors_do_not(tmp_path):
    chosen = [episode(i, instruction="raise here" if i == 0 else "push") for i in range(10)]
    assert play(tmp_path, chosen, limits=Limits()).summary.overall.errors == 1


@pytest.mark.parametrize(
    ("factory", "message"),
    [("make_broken", "libEGL.so.1"), ("make_dying", "GL said no"), ("make_blind", "no OpenGL back end")],
)
def test_an_environment_that_cannot_be_made_stops_the_run_with_its_reason(tmp_path, factory, message):
    with pytest.raises(RunError, match=message):
        play(tmp_path, episodes(3), factory=f"{FAKE}:{factory}", limits=Limits(failed_starts=3))


def test_an_environment_that_never_comes_stops_the_run(tmp_path):
    (tmp_path / "slow.py").write_text("import time\ndef make(settings):\n    time.sleep(60)\n")
    with pytest.raises(RunError, match=r"not ready within 0\.5 s"):
        play(tmp_path, episodes(3), factory=f"{tmp_path}/slow.py:make", limits=Limits(start_s=0.5))


def test_a_privileged_object_is_refused(tmp_path):
    with pytest.raises(PolicyError, match="privileged"):
        play(tmp_path, episodes(1), load_object(f"{POLICIES}:Seer")())


def test_objects_without_a_fingerprint_never_share_a_run(tmp_path):
    noop = load_object("rtbench.policy.baselines:NoopPolicy")
    assert play(tmp_path, episodes(1), noop()).path != play(tmp_path, episodes(1), noop()).path


def test_videos_are_made_of_those_asked_for(tmp_path):
    chosen = [episode(0), episode(1, horizon=2), episode(2)]
    shown = {}
    for video in ("none", "fail", "all", "1"):
        run = play(tmp_path / video, chosen, video=video)
        files = {path.stem for path in (run.path / "videos").glob("*.mp4")}
        assert files == {r.key for r in run.records if r.video}
        shown[video] = {r.episode.seed for r in run.records if r.video}
    assert shown == {"none": set(), "fail": {1}, "all": {0, 1, 2}, "1": {0}}
    with pytest.raises(RunError, match="allowed are none, fail, all"):
        play(tmp_path, chosen, video="some")

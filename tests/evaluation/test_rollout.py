"""One episode: success, termination, latency and replay, on a cart whose motion can be computed by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtbench.core.action import RTBENCH, Mode, idle
from rtbench.core.episode import Trace
from rtbench.core.errors import ActionError, ContentError, PlacementError, RunError
from rtbench.core.importing import load_object
from rtbench.evaluation.latency import Latency, Pace
from rtbench.evaluation.replay import differences
from rtbench.evaluation.rollout import Decision, replayed, rollout
from rtbench.result.record import of_result
from tests.helpers.paths import HELPERS

FAKE = HELPERS / "fake_env.py"
FakeEnv = load_object(f"{FAKE}:FakeEnv")
make_episode = load_object(f"{FAKE}:episode")
MARK = load_object(f"{FAKE}:MARK")


def tokens(x=0.0, mode=Mode.ARM):
    vector = idle()
    vector[0], vector[-1] = x, mode
    return RTBENCH.encode(vector)


def script(rows):
    """Plays the rows, then the last one for ever; counts its calls."""
    left = list(rows)

    def act(observation):
        act.calls += 1
        return Decision(left.pop(0) if len(left) > 1 else left[0], 0.001)

    act.calls = 0
    return act


PUSH, BACK, STAY, END = tokens(0.075), tokens(-0.075), tokens(), tokens(mode=Mode.TERMINATE)
TO_MARK = [PUSH] * 8  # 8 steps of 7.5 cm from at most 0.2 m


def test_success_is_ever_end_and_held():
    result = rollout(FakeEnv(), make_episode(), script([*TO_MARK, END]))
    assert (result.outcome.ever, result.outcome.end, result.outcome.held) == (True, True, True)
    assert result.outcome.termination == "on_time"
    assert result.outcome.steps == 9 == len(result.trace.tokens) == len(result.trace.hashes)
    assert result.outcome.progress == 1.0
    assert result.outcome.subgoals == {"begun(cart)": True, "beyond(cart)": True}
    assert not result.true_at_reset


def test_a_goal_that_was_lost_counts_as_ever_only():
    result = rollout(FakeEnv(), make_episode(), script([*TO_MARK, *[BACK] * 4, STAY, END]))
    outcome = result.outcome
    assert (outcome.ever, outcome.end, outcome.held) == (True, False, False)
    assert outcome.termination == "early"
    assert outcome.subgoals["beyond(cart)"]
    assert outcome.progress == 0.5


def test_a_goal_that_does_not_last_a_second_is_not_held():
    # Cut off while the cart rolls back over the mark: true at the end, lost within the second after it.
    ends = [
        rollout(FakeEnv(), make_episode(horizon=horizon), script([*TO_MARK, BACK])).outcome
        for horizon in range(9, 15)
    ]
    last = [outcome for outcome in ends if outcome.end][-1]
    assert not last.held
    assert last.termination == "missing"


@pytest.mark.parametrize(("extra", "termination"), [(0, "on_time"), (6, "on_time"), (7, "late")])
def test_termination_is_late_after_more_than_two_seconds(extra, termination):
    env, episode = FakeEnv(), make_episode(horizon=40)
    free = rollout(env, episode, script([PUSH])).trace.tokens
    needed = next(n for n in range(len(free)) if _reaches(episode, n))
    outcome = rollout(env, episode, script([*[PUSH] * needed, *[STAY] * extra, END])).outcome
    assert outcome.termination == termination
    assert outcome.end


def _reaches(episode, pushes):
    return rollout(FakeEnv(), episode, script([*[PUSH] * pushes, END])).outcome.end


def test_terminating_without_the_goal_is_early_and_never_is_missing():
    assert rollout(FakeEnv(), make_episode(), script([PUSH, END])).outcome.termination == "early"
    outcome = rollout(FakeEnv(), make_episode(horizon=5), script([STAY])).outcome
    assert (outcome.termination, outcome.steps, outcome.end) == ("missing", 5, False)


def test_the_same_episode_is_the_same_after_another_and_after_a_failed_one():
    env = FakeEnv()
    first = rollout(env, make_episode(3), script([*TO_MARK, END]))
    with pytest.raises(ActionError, match="gripper"):
        rollout(env, make_episode(4), script([PUSH, np.array([128] * 6 + [999] + [128] * 3 + [0])]))
    again = rollout(env, make_episode(3), script([*TO_MARK, END]))
    assert first.trace.hashes == again.trace.hashes
    assert (first.final_hash, first.outcome) == (again.final_hash, again.outcome)
    assert rollout(env, make_episode(4), script([STAY])).trace.hashes != first.trace.hashes


def test_a_trace_survives_the_exception():
    trace = Trace()
    with pytest.raises(RuntimeError, match="unstable"):
        rollout(FakeEnv(), make_episode(variant="raise"), script([PUSH]), trace=trace)
    assert len(trace.tokens) == 3
    assert len(trace.hashes) == 2


def test_a_placement_error_is_passed_on():
    with pytest.raises(PlacementError, match="does not fit"):
        rollout(FakeEnv(), make_episode(variant="crowded"), script([PUSH]))


def test_frames_are_kept_on_request():
    trace = Trace(keep_frames=True)
    rollout(FakeEnv(), make_episode(), script([*TO_MARK, END]), trace=trace)
    assert len(trace.frames) == 10
    assert rollout(FakeEnv(), make_episode(), script([END])).trace.frames == []


def test_replayed_tokens_give_the_same_states():
    first = rollout(FakeEnv(), make_episode(5), script([*TO_MARK, END]))
    second = rollout(FakeEnv(), make_episode(5), replayed(np.array(first.trace.tokens)))
    assert second.trace.hashes == first.trace.hashes
    with pytest.raises(RunError, match="end at step 4"):
        rollout(FakeEnv(), make_episode(5), replayed(np.array(first.trace.tokens[:4])))


@given(st.floats(0, 2000), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_a_slow_policy_gets_fewer_decisions_in_the_same_simulated_time(ms, horizon):
    pace = Pace(Latency((ms,)))
    env = FakeEnv()
    act = script([STAY])
    result = rollout(env, make_episode(horizon=horizon), act, pace=pace)
    ticks = int(np.ceil(round(ms * 0.24, 9)))
    assert act.calls == result.outcome.steps == horizon * 80 // (80 + ticks)
    assert result.simulated_s == pytest.approx(horizon / 3)
    assert env.time == horizon * 80  # every tick of the budget was simulated, and no more


def test_the_world_goes_on_with_the_last_command_meanwhile():
    still = rollout(FakeEnv(), make_episode(horizon=6), script([PUSH, PUSH, STAY, END]))
    drift = rollout(
        FakeEnv(), make_episode(horizon=9), script([PUSH, PUSH, STAY, END]), pace=Pace(Latency((100.0,)))
    )
    assert drift.outcome.steps == 4
    assert drift.trace.hashes[0] != still.trace.hashes[0]
    assert drift.simulated_s == pytest.approx(4 * (1 / 3 + 0.1))


def taking(act, seconds):
    """The decisions of `act`, as if they had taken these times [s]."""
    times = iter(seconds)
    return lambda observation: replace(act(observation), seconds=next(times))


def test_what_a_decision_takes_is_charged_and_played_again():
    measured = Pace(Latency(measured=True))
    times = [0.1, 0.0, 0.25, 0.0004, 3.0]
    played = rollout(FakeEnv(), make_episode(horizon=7), taking(script([PUSH, STAY]), times), pace=measured)
    # The fifth decision came when the time was up: it is not carried out, but was made.
    assert played.outcome.steps == 4
    assert played.trace.policy_s == times
    assert played.simulated_s == pytest.approx(7 / 3)
    told = of_result(make_episode(horizon=7), "rtbench", played, None)
    again = measured.again([(told.key, told.times.policy)])
    assert [again.latency.of(told.key).ticks(k) for k in range(4)] == [24, 0, 60, 1]
    second = rollout(FakeEnv(), told.episode, replayed(told.token_rows), pace=again)
    assert differences(told, second) == []
    assert Latency.parse("measured") == Latency(measured=True)
    charged = Latency((100.0,))
    assert Pace(charged).again([(told.key, (5.0,))]).latency.of(told.key) == charged


@pytest.mark.parametrize("hz", [3, 10, 20])
def test_the_horizon_is_time_not_steps(hz):
    env = FakeEnv(load_object("rtbench.evaluation.messages:EnvSettings")(control_hz=hz))
    result = rollout(env, make_episode(horizon=6), script([STAY]), pace=Pace(control_hz=hz))
    assert result.outcome.steps == 2 * hz
    assert result.simulated_s == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("text", "ticks"), [("none", [0, 0]), ("100", [24, 24]), ("333.3333333333333", [80, 80]), ("1", [1, 1])]
)
def test_latency_is_read_and_rounded_up(text, ticks):
    latency = Latency.parse(text)
    assert [latency.ticks(0), latency.ticks(1)] == ticks


@pytest.mark.parametrize("content", ["[10, 20.5]", "10 # warm\n20.5\n", "# head\n\n10\n20.5"])
def test_a_recorded_latency_is_cycled(tmp_path, content):
    path = tmp_path / "trace.txt"
    path.write_text(content)
    latency = Latency.parse(str(path))
    assert latency.milliseconds == (10, 20.5)
    assert [latency.ticks(i) for i in range(3)] == [3, 5, 3]


@pytest.mark.parametrize("content", ["", "[]", "[1, null]", "3\nfast\n", "-1", "nan", "[1", "[[1]]", "[true"])
def test_a_bad_latency_names_the_value(tmp_path, content):
    path = tmp_path / "trace.txt"
    path.write_text(content)
    with pytest.raises(ContentError, match="trace"):
        Latency.parse(str(path))


@pytest.mark.parametrize("text", ["-5", "inf", "nan", "fast"])
def test_a_bad_latency_on_the_command_line_is_refused(text):
    with pytest.raises(ContentError, match="--latency"):
        Latency.parse(text)


def test_a_rate_that_divides_nothing_is_refused():
    with pytest.raises(ContentError, match="divide 240"):
        Pace(control_hz=7)

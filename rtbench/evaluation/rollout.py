"""One episode as a pure loop: no processes, no files, no clock but for measurement.

The loop knows neither MuJoCo nor the policy's whereabouts: it is given an environment and a function from
an observation to a decision. The runner's workers, `rtbench verify` and tests all use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import SIZE
from rtbench.core.environment import EpisodeEnv
from rtbench.core.episode import HASH_DIGITS, Episode, EpisodeResult, Observation, Outcome, Trace
from rtbench.core.errors import RunError
from rtbench.evaluation.latency import REAL_TIME, TICKS_PER_SECOND, Pace

HOLD_STEPS = 3
"""Steps of 1/3 s for which a held success must last after the end."""
LATE_TICKS = 2 * TICKS_PER_SECOND
"""A goal that was true for longer before the policy terminated makes the termination late."""


@dataclass(frozen=True)
class Decision:
    """What a policy answers to one observation."""

    tokens: NDArray[np.int64]
    """int64[11], in the order of the policy's convention."""
    seconds: float
    """Wall time that the policy's `act` took [s], without the way there and back."""
    slots: int = 1
    """Slots that the same call of `act` answered."""


Act = Callable[[Observation], Decision]


def rollout(
    env: EpisodeEnv, episode: Episode, act: Act, *, pace: Pace = REAL_TIME, trace: Trace | None = None
) -> EpisodeResult:
    """Play one episode to termination or to the end of its budget of simulated time.

    Args:
        env: Environment; it is reset here and may be used again after any exception.
        episode: What to play.
        act: Called once a control step with the newest observation.
        pace: Control rate and thinking time.
        trace: Filled step by step, so that it survives an exception.

    Raises:
        ActionError: tokens that the environment cannot read.
        PlacementError: the episode's objects do not fit.
    """
    trace = Trace() if trace is None else trace
    start = perf_counter()
    observation = env.begin(episode)
    trace.reset_s = perf_counter() - start
    if trace.keep_frames:
        trace.frames.append(env.frame())
    fingerprint = env.fingerprint()
    watch = _GoalWatch(env)
    true_at_reset = env.success()
    budget, used = pace.budget(episode.horizon), 0
    latency = pace.latency.of(episode.key)
    while not env.terminated:
        thinking = latency.ticks(len(trace.hashes))
        if used + thinking + pace.period > budget:
            break
        asked = perf_counter()
        decision = act(observation)
        trace.policy_s.append(decision.seconds)
        trace.slots.append(decision.slots)
        thinking += latency.measured_ticks(decision.seconds)
        if used + thinking + pace.period > budget:
            break
        observation = _step(env, decision, thinking, asked, trace)
        used += thinking + pace.period
        watch.look(used, pace.period)
    if not env.terminated and used < budget:
        # A decision that comes too late is not carried out; the world still has its time.
        env.wait((budget - used) / TICKS_PER_SECOND)
        watch.look(budget, 0)
        used = budget
    final_hash = env.state_hash()
    outcome = watch.outcome(len(trace.hashes))
    return EpisodeResult(outcome, trace, final_hash, fingerprint, true_at_reset, used / TICKS_PER_SECOND)


def replayed(tokens: NDArray[np.int64]) -> Act:
    """An `act` that plays back the tokens int64[n, 11] of a record, for videos and for `rtbench verify`.

    It raises a RunError when asked for more: the episode then lasts longer than the recorded one.
    """
    rows: Iterator[NDArray[np.int64]] = iter(np.asarray(tokens, dtype=np.int64).reshape(-1, SIZE))

    def act(observation: Observation) -> Decision:
        row = next(rows, None)
        if row is None:
            raise RunError(f"the recorded tokens end at step {observation.step}, but the episode goes on.")
        return Decision(row, 0.0)

    return act


def _step(env: EpisodeEnv, decision: Decision, thinking: int, asked: float, trace: Trace) -> Observation:
    decided = perf_counter()
    trace.tokens.append(np.array(decision.tokens, dtype=np.int64))
    if thinking:
        env.wait(thinking / TICKS_PER_SECOND)
    observation = env.advance(decision.tokens)
    end = perf_counter()
    trace.env_s.append(end - decided)
    trace.loop_s.append(end - asked)
    trace.hashes.append(env.state_hash()[:HASH_DIGITS])
    if trace.keep_frames:
        trace.frames.append(env.frame())
    return observation


class _GoalWatch:
    """Follows the goal through an episode and judges it."""

    def __init__(self, env: EpisodeEnv) -> None:
        self._env = env
        self._ever = False
        self._leaves = dict.fromkeys(env.leaves(), False)
        self._since: int | None = None
        self._true_before = 0

    def look(self, now: int, period: int) -> None:
        """Note the goal after a step of `period` ticks that ended at tick `now`."""
        # The last step may be the terminating one: what counts is how long the goal was true before it.
        self._true_before = 0 if self._since is None else now - period - self._since
        success = self._env.success()
        self._ever |= success
        if not success:
            self._since = None
        elif self._since is None:
            self._since = now
        for leaf, true in self._env.leaves().items():
            self._leaves[leaf] = self._leaves.get(leaf, False) or true

    def outcome(self, steps: int) -> Outcome:
        """Judge the finished episode; lets the world go on for a second where success must be held."""
        env = self._env
        end = env.success()
        now = env.leaves()
        events, touched, rules = env.events(), env.touched(), env.rules()
        termination = self._termination(end)
        return Outcome(
            ever=self._ever,
            end=end,
            held=end and self._held(),
            steps=steps,
            termination=termination,
            progress=sum(now.values()) / len(now) if now else float(end),
            subgoals=self._leaves,
            events=events,
            touched=touched,
            rules=rules,
        )

    def _termination(self, end: bool) -> str:
        if not self._env.terminated:
            return "missing"
        if not end:
            return "early"
        return "late" if self._true_before > LATE_TICKS else "on_time"

    def _held(self) -> bool:
        for _ in range(HOLD_STEPS):
            self._env.wait(1 / 3)
            if not self._env.success():
                return False
        return True

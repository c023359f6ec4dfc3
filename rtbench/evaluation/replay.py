"""Recorded tokens, played again: as a policy, and to verify a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtbench.core.environment import EpisodeEnv
from rtbench.core.episode import EpisodeResult, Observation, Trace
from rtbench.core.errors import RunError
from rtbench.evaluation.latency import REAL_TIME, Pace
from rtbench.evaluation.rollout import replayed, rollout
from rtbench.policy.base import Needs
from rtbench.policy.seed import policy_seed
from rtbench.result.folder import EPISODES
from rtbench.result.record import Record, read_records


class ReplayPolicy:
    """Plays the tokens of a run again, in the same episodes.

    The harness tells a policy no episode key, but the seed it gives is made from the key; so the seed finds
    the record. Where the recorded tokens end, the policy raises: an episode of the same key can only last
    longer if the simulator has changed.
    """

    def __init__(self, run: str) -> None:
        """Read the records of a run folder.

        Raises:
            RunError: no such run, a damaged one, or one that mixes conventions.
        """
        path = Path(run) / EPISODES
        records = [record for record in read_records(path).records if record.outcome]
        spoken = {record.convention for record in records}
        if len(spoken) != 1:
            raise RunError(f"{path}: expected finished episodes of one convention, found {sorted(spoken)}.")
        self.needs = Needs(convention=spoken.pop())
        self._path = path
        self._tokens = {policy_seed(record.episode): record.token_rows for record in records}
        self._rows: dict[int, NDArray[np.int64]] = {}

    def reset(self, slot: int, instruction: str, seed: int) -> None:
        """Find the record of the episode; also in its middle, where its instruction changes."""
        if seed not in self._tokens:
            raise RunError(f"{self._path}: has no finished record of the episode {instruction!r}.")
        self._rows[slot] = self._tokens[seed]

    def act(self, observations: Sequence[Observation], slots: Sequence[int]) -> NDArray[np.int64]:
        """The recorded tokens int64[len(slots), 11] of the step that each slot is at."""
        seen = zip(slots, observations, strict=True)
        return np.stack([self._take(slot, observation.step) for slot, observation in seen])

    def _take(self, slot: int, step: int) -> NDArray[np.int64]:
        if step >= len(self._rows[slot]):
            raise RunError(f"{self._path}: the recorded tokens end at step {step}, but the episode goes on.")
        row: NDArray[np.int64] = self._rows[slot][step]
        return row


def replay(env: EpisodeEnv, record: Record, *, pace: Pace = REAL_TIME, frames: bool = False) -> EpisodeResult:
    """Simulate a finished record again from its tokens."""
    act = replayed(record.token_rows)
    return rollout(env, record.episode, act, pace=pace, trace=Trace(keep_frames=frames))


def differences(record: Record, result: EpisodeResult) -> list[str]:
    """What a second simulation shows differently, in sentences; empty when the record is confirmed."""
    found = []
    for name, value in record.fingerprint.items():
        # The first frame is only hashed where a policy wanted images; replay may go without.
        if name in result.fingerprint and result.fingerprint[name] != value:
            found.append(f"the {name} at the start is another: {value} then, {result.fingerprint[name]} now")
    then, now = record.step_hashes, tuple(result.trace.hashes)
    step = next((i for i, (a, b) in enumerate(zip(then, now, strict=False)) if a != b), None)
    if step is not None:
        found.append(f"the state differs from step {step + 1} on: {then[step]} then, {now[step]} now")
    elif len(then) != len(now):
        found.append(f"the episode lasted {len(then)} steps then, {len(now)} now")
    elif record.final_hash != result.final_hash:
        found.append(f"the final state differs: {record.final_hash} then, {result.final_hash} now")
    if record.outcome is not None:
        old, new = asdict(record.outcome), asdict(result.outcome)
        found += [f"{name}: {old[name]} then, {new[name]} now" for name in old if old[name] != new[name]]
    return found


def verify(env: EpisodeEnv, record: Record, *, pace: Pace = REAL_TIME) -> list[str]:
    """Simulate a record again and compare states and outcome; see `differences`.

    An error has no outcome to confirm and no complete tokens: it gives an empty list.
    """
    if record.outcome is None:
        return []
    try:
        result = replay(env, record, pace=pace)
    except RunError as error:
        return [str(error)]
    return differences(record, result)

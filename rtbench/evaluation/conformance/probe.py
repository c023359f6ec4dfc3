"""The conformance probe: what a policy's numbers mean, and whether it keeps its contract, in the simulator.

It knows the right actions from the oracle: see `rtbench.evaluation.conformance.situations`. A learned policy
need not do the same; its actions must go with the right ones more than against them. Where they do not, it
tries what usually went wrong in an adapter, and names what makes the policy right: a sign, an order of axes,
an image upside down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import SIZE, convention
from rtbench.core.episode import Observation
from rtbench.core.errors import PolicyError
from rtbench.core.fault import Fault
from rtbench.env.kitchen import Kitchen
from rtbench.evaluation.conformance.alignment import Alignment
from rtbench.evaluation.conformance.directions import base, directions, gripper, modes, timing, units
from rtbench.evaluation.conformance.finding import Finding
from rtbench.evaluation.conformance.situations import Situation, choose, record
from rtbench.policy.base import Policy, Privileged
from rtbench.policy.check import check_tokens
from rtbench.policy.continuous.policy import MappedPolicy
from rtbench.task.library import Library

Tokens = NDArray[np.int64]
Image = NDArray[np.uint8]

EPISODES = 16
"""Situations of a probe."""
SEED, OTHER_SEED = 11, 12
SHORT = 3
"""Steps of the probes of the contract; no multiple of a usual chunk, so that some of it is left over."""
IMAGES: dict[str, Callable[[Image], Image]] = {
    "its image is upside down and mirrored (rotated by 180 degrees)": lambda image: image[::-1, ::-1],
    "its image is upside down": lambda image: image[::-1],
    "its image is mirrored": lambda image: image[:, ::-1],
    "its colours are in the order BGR, not RGB": lambda image: image[..., ::-1],
}
"""What may be wrong with images, and what makes it right."""
GAIN = 0.1
"""Gain of agreement by which an image is told to be wrong."""
_SIMULATOR = "it reads the simulator"


class ProbeError(Exception):
    """The policy could not be asked."""


@dataclass
class Probed:
    """A policy, the situations that it is asked about, and slots that were not used yet."""

    policy: Policy
    situations: Sequence[Situation]
    _slot: int = 0

    def fresh(self) -> int:
        """A slot that was not used yet."""
        self._slot += 1
        return self._slot

    def act(self, observations: Sequence[Observation], slots: Sequence[int]) -> Tokens:
        """Checked tokens int64[len(slots), 11]; what is wrong with them is a ProbeError."""
        try:
            answer = self.policy.act(observations, slots)
        except Exception as error:
            raise ProbeError(f"act raised {type(error).__name__}: {error}") from error
        rows = check_tokens(answer, len(slots), convention(self.policy.needs.convention))
        for row in [rows] if isinstance(rows, Fault) else rows:
            if isinstance(row, Fault):
                raise ProbeError(row.message)
        return np.array(rows)

    def reset(self, slot: int, instruction: str, seed: int) -> None:
        """Begin an episode; an exception is a ProbeError."""
        try:
            self.policy.reset(slot, instruction, seed)
        except Exception as error:
            raise ProbeError(f"reset raised {type(error).__name__}: {error}") from error

    def play(self, which: int, *, slot: int, seed: int = SEED, steps: int = SHORT, text: str = "") -> Tokens:
        """Tokens int64[steps, 11] of a situation's beginning, alone, perhaps with another instruction."""
        situation = self.situations[which % len(self.situations)]
        told = text or situation.episode.instruction
        self.reset(slot, told, seed)
        seen = [replace(one, instruction=told) for one in situation.observations[:steps]]
        return np.concatenate([self.act([one], [slot]) for one in seen])

    def actions(self, change: Callable[[Image], Image] | None = None) -> tuple[NDArray[np.float64], ...]:
        """Actions float64[steps, 11] in all situations, perhaps with changed images."""
        spec = convention(self.policy.needs.convention)
        found = []
        for situation in self.situations:
            slot = self.fresh()
            self.reset(slot, situation.episode.instruction, SEED)
            rows = [self.act([_changed(seen, change)], [slot])[0] for seen in situation.observations]
            found.append(np.array([spec.decode(row) for row in rows]))
        return tuple(found)


def probe(
    policy: Policy, *, episodes: int = EPISODES, images: bool = True, library: Library | None = None,
    on_situation: Callable[[int, int], None] = lambda _done, _of: None,
) -> list[Finding]:  # fmt: skip
    """Probe a policy; gives one finding for each thing looked at.

    Args:
        policy: Local, remote or privileged.
        episodes: Situations; more of them decide more.
        images: Ask with changed images too, which takes five times as long.
        library: Content.
        on_situation: Told how many situations of how many are ready.

    Raises:
        PolicyError: the policy raised, or gave no tokens.
    """
    chosen = choose(episodes, library or Library(()))
    kitchen = Kitchen(cameras=policy.needs.cameras)
    try:
        if policy.needs.privileged:
            return _privileged(policy, chosen, kitchen, on_situation)
        situations = []
        for situation in record(chosen, kitchen):
            situations.append(situation)
            on_situation(len(situations), len(chosen))
    finally:
        kitchen.close()
    return probe_situations(policy, situations, images=images)


def probe_situations(
    policy: Policy, situations: Sequence[Situation], *, images: bool = True
) -> list[Finding]:
    """Probe a policy that reads observations in situations that were recorded with the cameras it needs.

    Raises:
        PolicyError: the policy raised, or gave no tokens.
    """
    probed = Probed(policy, situations)
    try:
        findings = [*_contract(probed)]
        image, alignment = _image(probed, changed=images)
        return [*findings, image, *_actions(alignment, policy)]
    except ProbeError as error:
        raise PolicyError(f"the policy could not be asked: {error}") from error


def _privileged(
    policy: Policy, chosen: Sequence[Any], kitchen: Kitchen, on_situation: Callable[[int, int], None]
) -> list[Finding]:
    """Probe a policy that reads the simulator: it is asked in each state that the oracle drives through."""
    given: list[list[Tokens]] = []
    spec = convention(policy.needs.convention)
    probed = Probed(policy, ())

    def ask(env: Kitchen, episode: Any, seen: Observation) -> None:
        if seen.step == 0:
            given.append([])
            if isinstance(policy, Privileged):
                policy.attach(0, env)
            probed.reset(0, episode.instruction, SEED)
        given[-1].append(probed.act([seen], [0])[0])

    right = []
    try:
        for situation in record(chosen, kitchen, ask):
            right.append(situation.right)
            on_situation(len(right), len(chosen))
    except ProbeError as error:
        raise PolicyError(f"the policy could not be asked: {error}") from error
    decoded = tuple(np.array([spec.decode(row) for row in rows]).reshape(-1, SIZE) for rows in given)
    skipped = [Finding(name, "skipped", _SIMULATOR) for name in (*CONTRACT, "image")]
    return [*skipped, *_actions(Alignment(decoded, tuple(right)), policy)]


def _actions(found: Alignment, policy: Policy) -> Iterator[Finding]:
    hz = (policy.mapping.control_hz if isinstance(policy, MappedPolicy) else None) or 3
    yield from directions(found)
    yield gripper(found)
    yield from base(found)
    yield from units(found, hz / 3)
    yield modes(found)
    if hz == 3:
        yield timing(found)
    else:
        yield Finding("timing of chunks", "skipped", f"situations are recorded at 3 Hz, and it plays at {hz}")


def _image(probed: Probed, *, changed: bool) -> tuple[Finding, Alignment]:
    """What is wrong with images, and the actions with the right ones."""
    right = tuple(situation.right for situation in probed.situations)
    as_is = Alignment(probed.actions(), right)
    if not probed.policy.needs.cameras:
        return Finding("image", "skipped", "it needs no camera"), as_is
    if not changed:
        return Finding("image", "skipped", "not asked for"), as_is
    others = {words: Alignment(probed.actions(change), right) for words, change in IMAGES.items()}
    own = as_is.agreement()
    words, best = max(others.items(), key=lambda one: one[1].agreement())
    if best.agreement() > own + GAIN and best.gain_over(as_is).low > 0:
        text = f"with that put right it agrees with the oracle by {best.agreement():.2f} instead of {own:.2f}"
        return Finding("image", "fault", f"{words}: {text}"), best
    worst = min(one.agreement() for one in others.values())
    if own - worst < GAIN:
        text = f"turned, mirrored and recoloured images change little (agreement {worst:.2f} to {own:.2f})"
        return Finding("image", "unclear", text), as_is
    text = f"upright and RGB: it agrees by {own:.2f}, with changed images by {best.agreement():.2f} at most"
    return Finding("image", "pass", text), as_is


def _contract(probed: Probed) -> Iterator[Finding]:
    for name, test in CONTRACT.items():
        verdict, text = test(probed)
        yield Finding(name, verdict, text)


def _seed(probed: Probed) -> tuple[Any, str]:
    for which in range(2):
        first, second = (probed.play(which, slot=probed.fresh()) for _ in range(2))
        if not np.array_equal(first, second):
            return "fault", (
                "the same seed and observations gave other actions in an unused slot: its randomness does "
                "not come from the seed of reset"
            )
    return "pass", "the same seed and observations give the same actions"


def _reset(probed: Probed) -> tuple[Any, str]:
    first = [probed.play(0, slot=probed.fresh()) for _ in range(2)]
    if not np.array_equal(first[0], first[1]):
        return "unclear", "it does not repeat itself even in unused slots; see same seed, same action"
    slot = probed.fresh()
    for which, steps in ((1, 1), (2, 5)):
        probed.play(which, slot=slot, seed=OTHER_SEED, steps=steps)
        if not np.array_equal(first[0], probed.play(0, slot=slot)):
            break
    else:
        return "pass", "nothing of the last episode is left after reset"
    return "fault", (
        "reset does not reset: after another episode in the slot the same observations gave other actions (a "
        "history, or the rest of a chunk, is kept)"
    )


def _batch(probed: Probed) -> tuple[Any, str]:
    situations = [probed.situations[i % len(probed.situations)] for i in range(3)]
    alone = np.array([probed.play(i, slot=probed.fresh()) for i in range(3)])
    again = np.array([probed.play(i, slot=probed.fresh()) for i in range(3)])
    if not np.array_equal(alone, again):
        return "unclear", "it does not repeat itself even alone; see same seed, same action"
    slots = [probed.fresh() for _ in range(3)]
    for slot, situation in zip(slots, situations, strict=True):
        probed.reset(slot, situation.episode.instruction, SEED)
    together = np.empty_like(alone)
    for step in range(SHORT):
        # The order changes from step to step: a policy that goes by the place in the batch shows here.
        order = np.roll(np.arange(3), step)
        rows = probed.act([situations[i].observations[step] for i in order], [slots[i] for i in order])
        together[order, step] = rows
    if np.array_equal(alone, together):
        return "pass", "three episodes in one batch are played as each alone"
    swapped = np.abs(together[:, None] - alone[None]).mean(axis=(2, 3)).argmin(axis=1)
    if np.abs(together - alone).max() <= 1:
        return "pass", "in a batch some tokens differ by one bin, as rounding on a GPU does"
    if not np.array_equal(swapped, np.arange(3)) or not np.array_equal(alone[:, 0], together[:, 0]):
        return "fault", "batch and single differ: episodes of a batch are mixed up"
    return "fault", "batch and single differ: an episode is played otherwise beside others than alone"


def _language(probed: Probed) -> tuple[Any, str]:
    count = min(8, len(probed.situations))
    fresh = kept = 0
    for which in range(count):
        other = probed.situations[which].other
        slot = probed.fresh()
        own = probed.play(which, slot=slot)
        fresh += not np.array_equal(own, probed.play(which, slot=probed.fresh(), text=other))
        kept += not np.array_equal(own, probed.play(which, slot=slot, text=other))
    if fresh and not kept:
        return "fault", "the instruction is stuck: a slot goes on with that of its first episode"
    if not fresh:
        return "fault", f"the instruction changes nothing: it acted alike in {count} of {count} situations"
    return "pass", f"another instruction changes the first {SHORT} actions in {fresh} of {count} situations"


def _chunk(probed: Probed) -> tuple[Any, str]:
    """A chunk must not outlive its episode, nor be cut by another slot's."""
    policy = probed.policy
    if not isinstance(policy, MappedPolicy):
        return "skipped", "it gives tokens, and keeps its chunks itself; see timing of chunks"
    slot = probed.fresh()
    probed.play(0, slot=slot, steps=6)
    predictions = policy.episode_report(slot).get("predictions", 0)
    execute = policy.mapping.execute
    steps = min(6, len(probed.situations[0].observations))
    expected = -(-steps // execute) if execute else predictions
    if predictions != expected:
        return "fault", f"{predictions} predictions in {steps} steps; {expected} were due"
    return "pass", f"{predictions} predictions in {steps} steps"


CONTRACT: dict[str, Callable[[Probed], tuple[Any, str]]] = {
    "same seed, same action": _seed,
    "reset": _reset,
    "batch equals single": _batch,
    "language": _language,
    "chunks": _chunk,
}
"""Probes of the contract, by name."""


def _changed(seen: Observation, change: Callable[[Image], Image] | None) -> Observation:
    if change is None:
        return seen
    images = {camera: np.ascontiguousarray(change(image)) for camera, image in seen.images.items()}
    return replace(seen, images=images)

"""`MappedPolicy`: makes a policy of continuous numbers and chunks one of tokens.

A policy of continuous numbers has `predict` in place of `act`. What its numbers mean says a mapping: the
section `action:` of its card, `--action` of the command line, or its own attribute `action`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import SIZE, Convention, convention
from rtbench.core.episode import Observation
from rtbench.core.errors import PolicyError
from rtbench.policy.base import Needs
from rtbench.policy.continuous.chunk import ChunkQueue, check_chunks
from rtbench.policy.continuous.clipping import ClipCounter
from rtbench.policy.continuous.mapping import ActionMapping, at_rate, preset
from rtbench.policy.continuous.presets import PRESETS
from rtbench.policy.continuous.statistics import read_scaling
from rtbench.policy.continuous.transform import Forward, MapperState, step
from rtbench.policy.report import episode_report


@runtime_checkable
class ContinuousPolicy(Protocol):
    """A policy that predicts numbers, or chunks of them, for a batch of slots."""

    needs: Needs

    def reset(self, slot: int, instruction: str, seed: int) -> None:
        """Forget the slot's history and take up a new instruction. `seed` fixes all its randomness."""
        ...

    def predict(self, observations: Sequence[Observation], slots: Sequence[int]) -> NDArray[np.floating]:
        """float[len(slots), H, D]: the next H actions of each slot; or float[len(slots), D] for one."""
        ...


@dataclass
class _Slot:
    """What is remembered of a slot's episode."""

    queue: ChunkQueue
    state: MapperState = field(default_factory=MapperState)
    clips: ClipCounter = field(default_factory=ClipCounter)
    predictions: int = 0


class MappedPolicy:
    """A policy of tokens, made of one of numbers and a mapping."""

    def __init__(self, policy: ContinuousPolicy, mapping: ActionMapping) -> None:
        """Read the mapping's statistics.

        Args:
            policy: Predicts.
            mapping: What its numbers mean.

        Raises:
            ContentError: statistics that cannot be read, or do not fit the mapping.
        """
        self.policy = policy
        self.mapping = mapping.complete()
        self.needs: Needs = policy.needs
        self._spec: Convention = convention(policy.needs.convention)
        self._scaling = read_scaling(self.mapping)
        self._forward = kinematics() if "joints" in self.mapping.slices else None
        self._slots: dict[int, _Slot] = {}

    @property
    def threads(self) -> int | None:
        """CPU threads of the policy, where it says so."""
        said = getattr(self.policy, "threads", None)
        return said if isinstance(said, int) else None

    def fingerprint(self) -> str:
        """What the policy says of itself; '' where it says nothing."""
        said = getattr(self.policy, "fingerprint", None)
        said = said() if callable(said) else said
        return "" if said is None else str(said)

    def attach(self, slot: int, env: Any) -> None:
        """Give a privileged policy its environment."""
        attach = getattr(self.policy, "attach", None)
        if attach is not None:
            attach(slot, env)

    def reset(self, slot: int, instruction: str, seed: int) -> None:
        """Begin an episode: no action of the last one's chunks is left."""
        self._slots[slot] = _Slot(ChunkQueue(self.mapping.execute, self.mapping.chunk.ensemble))
        self.policy.reset(slot, instruction, seed)

    def act(self, observations: Sequence[Observation], slots: Sequence[int]) -> NDArray[np.int64]:
        """Tokens int64[len(slots), 11], in the convention's order; predicts where a chunk is used up.

        Raises:
            ActionError: numbers of another shape than the mapping says, or not finite.
        """
        due = [i for i, slot in enumerate(slots) if self._slots[slot].queue.empty]
        if due:
            answer = self.policy.predict([observations[i] for i in due], [slots[i] for i in due])
            for i, chunk in zip(due, check_chunks(answer, len(due), self.mapping), strict=True):
                self._slots[slots[i]].queue.push(chunk)
                self._slots[slots[i]].predictions += 1
        tokens = np.empty((len(slots), SIZE), dtype=np.int64)
        for i, (seen, slot) in enumerate(zip(observations, slots, strict=True)):
            tokens[i] = self._one(self._slots[slot], seen)
        return tokens

    def episode_report(self, slot: int) -> dict[str, Any]:
        """Of the slot's episode: 'clipped' by dimension, 'predictions', and the policy's own report."""
        slot_ = self._slots.get(slot)
        if slot_ is None:
            return {}
        return {
            **episode_report(self.policy, slot),
            "clipped": slot_.clips.report(),
            "predictions": slot_.predictions,
        }

    def identity(self) -> dict[str, Any]:
        """What decides how numbers become tokens, as plain values: the mapping, and its statistics' hash."""
        told: dict[str, Any] = self.mapping.model_dump(mode="json", exclude_none=True)
        if self.mapping.normalization and self._scaling:
            told["normalization"]["statistics"] = Path(self.mapping.normalization.statistics).name
            parts = (self._scaling.scale, self._scaling.offset, self._scaling.clip)
            told["normalization"]["sha256"] = hashlib.sha256(b"".join(p.tobytes() for p in parts)).hexdigest()
        return told

    def _one(self, slot: _Slot, seen: Observation) -> NDArray[np.int64]:
        numbers = slot.queue.pop()
        if self._scaling is not None:
            numbers = self._scaling.apply(numbers)
        mapped = step(numbers, self.mapping, seen.proprio, slot.state, self._spec, self._forward)
        slot.clips.add(mapped.action, mapped.limited)
        slot.state = mapped.state
        return mapped.tokens


def is_continuous(policy: Any) -> bool:
    """Whether it predicts numbers: it has `predict`, and no `act`."""
    return callable(getattr(policy, "predict", None)) and not callable(getattr(policy, "act", None))


def action_of(policy: Any) -> ActionMapping | None:
    """What a policy that predicts numbers says of them by its attribute `action`; None where it says nothing.

    Raises:
        UnknownNameError: a preset that there is not.
    """
    own = getattr(policy, "action", None) if is_continuous(policy) else None
    if isinstance(own, str):
        return preset(own)
    return own if isinstance(own, ActionMapping) else None


def mapped(policy: Any, mapping: ActionMapping | None, name: str, control_hz: int | None = None) -> Any:
    """The policy as one of tokens: wrapped where it predicts numbers, as it is otherwise.

    Args:
        policy: What a factory made.
        mapping: Of the card or the command line; None: the policy's own attribute `action`, a preset's name
        or an
            `ActionMapping`.
        name: Of the policy, for errors.
        control_hz: Control rate of the run [Hz]; that of the mapping where None.

    Raises:
        PolicyError: numbers without a mapping, or a mapping without numbers.
        ContentError: statistics that cannot be read, or do not fit.
    """
    if not is_continuous(policy):
        if mapping is not None:
            raise PolicyError(
                f"policy {name}: it has an action mapping, but gives tokens itself: "
                f"{type(policy).__name__} has act. Give it a method predict(observations, slots) that "
                "returns numbers, or leave the mapping out."
            )
        return policy
    own = mapping if mapping is not None else action_of(policy)
    if own is None:
        raise PolicyError(
            f"policy {name}: {type(policy).__name__} predicts numbers, and nothing says what they mean. "
            f"Name a mapping by --action or by the card's section action: {', '.join(PRESETS)}."
        )
    if not callable(getattr(policy, "reset", None)):
        raise PolicyError(
            f"policy {name}: {type(policy).__name__} has no method reset(slot, instruction, seed)."
        )
    if not isinstance(getattr(policy, "needs", None), Needs):
        raise PolicyError(f"policy {name}: attribute 'needs' must be a Needs.")
    return MappedPolicy(policy, at_rate(own, control_hz))


def kinematics() -> Forward:
    """Kinematics of the Panda arm."""
    # Late: it loads a model of the arm, which only joints need.
    from rtbench.env.kinematics import Arm

    return Arm().forward

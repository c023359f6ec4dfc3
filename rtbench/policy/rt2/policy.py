"""RT-2 as a policy: it states a plan, keeps it for some steps, and acts by it.

Each slot decides by itself, so that what it does cannot depend on what else is in a batch.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtbench.core.action import BINS, GRIPPER, MODE, Mode, idle
from rtbench.core.action import convention as action_convention
from rtbench.core.episode import Observation
from rtbench.core.errors import PolicyError, UnknownNameError
from rtbench.core.seeding import generator
from rtbench.core.stated_plan import Place, StatedPlan
from rtbench.policy.base import Needs
from rtbench.policy.rt1.image import prepare
from rtbench.policy.rt2.action_layout import ActionLayout
from rtbench.policy.rt2.checkpoint import Model, load
from rtbench.policy.rt2.decoding import Choice, Decoder, Plan, Reader
from rtbench.policy.rt2.grounding import Grounding
from rtbench.policy.rt2.instruction import ENCODER, ENCODER_SHA256, TokenStates
from rtbench.policy.rt2.int8 import FLOAT32, INT8, PRECISIONS, in_int8
from rtbench.policy.rt2.network import folded
from rtbench.policy.rt2.readers import CachedReader, Look, PlainReader, Prompt
from rtbench.policy.rt2.spoken_names import hidden, pattern
from rtbench.policy.rt2.token_table import TokenTable
from rtbench.policy.text_encoder.encoder import ORDERED, SentenceEncoder
from rtbench.task.library import BUNDLED
from rtbench.task.object_entry import Kind

CAMERA = "head"
PLAN_STEPS = 8
"""Steps for which a plan is kept where no sub-goal is reached before."""
UNLIMITED = sys.maxsize
"""More steps than an episode has."""
THREADS = 1
"""CPU threads where none are asked for, as of RT-1: the simulators want the other cores."""


class Body(Protocol):
    """A model that reads instructions and images, and says what comes next."""

    table: TokenTable
    """Ids by their use."""
    layout: ActionLayout
    """Order of an action's tokens."""
    most_words: int
    """Words of a plan at most."""
    device: torch.device
    """Where it computes."""

    def begin(self, instruction: str) -> Any:
        """What is kept of an instruction for its episode."""
        ...

    def look(self, prompt: Any, image: NDArray[np.uint8]) -> Reader:
        """Read an image uint8[H, W, 3] after an instruction."""
        ...

    def words(self, ids: Sequence[int]) -> str:
        """The text of a plan's words."""
        ...


@dataclass(frozen=True)
class Planning:
    """When a plan is stated."""

    wanted: bool = True
    """Whether there are plans at all."""
    steps: int = PLAN_STEPS
    """Steps for which a plan is kept at most; 0: for the whole episode."""
    alone: bool = False
    """Whether an episode ends with its first plan, without a motion."""


@dataclass
class _Slot:
    """An episode that is played."""

    prompt: Any
    choice: Choice
    plan: Plan | None = None
    left: int = 0
    """Steps for which the plan is still kept."""
    grip: tuple[int, bool] | None = None
    """Mode of the last action, and whether it closed the gripper."""
    step: int = 0
    stated: StatedPlan | None = None


class RT2Policy:
    """A vision-language model that acts."""

    def __init__(
        self, body: Body, planning: Planning, *, temperature: float = 0.0, terminate_threshold: float = 0.0
    ) -> None:
        """The policy of a model.

        Args:
            body: The model.
            planning: When it states plans.
            temperature: Tokens are drawn with probabilities to the power of 1 / temperature, from the
                episode's seed; the mode never is. 0: the likeliest.
            terminate_threshold: Least probability at which it ends an episode. 0: whenever that is the
                likeliest mode.

        Raises:
            PolicyError: an argument that cannot be.
        """
        if planning.steps < 0:
            raise PolicyError(f"plan_steps is {planning.steps}; give 1 or more, or 0 for a whole episode.")
        if not 0 <= temperature < np.inf:
            raise PolicyError(f"temperature is {temperature}; give 0 or more.")
        if not 0 <= terminate_threshold <= 1:
            raise PolicyError(f"terminate_threshold is {terminate_threshold}; give a probability, 0 to 1.")
        if planning.alone and not planning.wanted:
            raise PolicyError("plan_only without plans has nothing to say; leave out plan=off.")
        self._body, self._planning, self._temperature = body, planning, temperature
        decoder = Decoder(body.table, body.layout, body.most_words, terminate_threshold)
        self._decoder = decoder.to(body.device)
        self._slots: dict[int, _Slot] = {}
        self.needs = Needs(cameras=(CAMERA,), convention=body.layout.convention)
        self.fingerprint = ""
        """What else than its card decides how it acts: the commit of weights from the hub."""

    @torch.inference_mode()
    def reset(self, slot: int, instruction: str, seed: int) -> None:
        """Begin an episode: a new instruction, no plan."""
        choice = Choice(self._temperature, generator("rt2 actions", seed))
        self._slots[slot] = _Slot(self._body.begin(instruction), choice)

    @torch.inference_mode()
    def act(self, observations: Sequence[Observation], slots: Sequence[int]) -> NDArray[np.int64]:
        """Tokens int64[len(slots), 11]."""
        pairs = zip(observations, slots, strict=True)
        return np.stack([self._decide(self._slots[slot], seen.images[CAMERA]) for seen, slot in pairs])

    def stated_plan(self, slot: int) -> StatedPlan | None:
        """The plan that the slot's last action followed; None for none."""
        return self._slots[slot].stated

    def _decide(self, slot: _Slot, image: NDArray[np.uint8]) -> NDArray[np.int64]:
        reader = self._body.look(slot.prompt, image)
        kept = slot.left > 0
        if self._planning.wanted and not kept:
            slot.plan = self._decoder.plan(reader, slot.choice)
            slot.left = self._planning.steps or UNLIMITED
            slot.stated = self._told(slot.plan, slot.step)
        if self._planning.alone:
            return self._end()
        bins = self._decoder.action(reader, slot.choice, slot.plan, kept=kept)
        tokens = self._body.layout.to_tokens(bins)
        self._follow(slot, tokens)
        return tokens

    def _end(self) -> NDArray[np.int64]:
        """Tokens int64[11] that end the episode where it is."""
        action = idle()
        action[MODE] = Mode.TERMINATE
        return action_convention(self._body.layout.convention).encode(action)

    def _follow(self, slot: _Slot, tokens: NDArray[np.int64]) -> None:
        """Count down to the next plan; a sub-goal is over when the hand opens or closes, or the mode changes.

        That is what the policy itself knows of it: it has gripped or released something, or begins to drive.
        """
        order = self._body.layout
        gripper = int(tokens[action_convention(order.convention).order.index(GRIPPER)])
        grip = (int(tokens[order.slots[order.mode]]), gripper >= BINS // 2)
        over = slot.grip is not None and grip != slot.grip
        slot.left = 0 if over and self._planning.steps else max(slot.left - 1, 0)
        slot.grip = grip
        slot.step += 1

    def _told(self, plan: Plan, step: int) -> StatedPlan:
        places = tuple(Place(round(x, 4), round(y, 4)) for x, y in plan.points(self._body.table))
        return StatedPlan(step, self._body.words(plan.words), places)


class SmallBody:
    """Our own network as a body."""

    def __init__(
        self,
        model: Model,
        *,
        cache: bool = True,
        device: torch.device | str = "cpu",
        precision: str = FLOAT32,
        grounding: bool = True,
        pointing: bool = True,
    ) -> None:
        """A body.

        Args:
            model: Its weights; a copy is used.
            precision: One of `PRECISIONS`: what the decoder's matrices are.
            cache: Whether keys and values are kept, which is faster and gives the same tokens.
            device: Where to compute.
            grounding: Whether plans are grounded in what is seen.
            pointing: Whether RT-1 is told the places of a plan beside its words.
        """
        self.device = torch.device(device)
        self._network = folded(model.network, self.device)
        if precision == INT8:
            self._network.layers = in_int8(self._network.layers)
        self._vocabulary = model.vocabulary
        self._reader = CachedReader if cache else PlainReader
        self._vectors = SentenceEncoder(ORDERED)
        self._states = TokenStates(self._network.size.instruction, self._vectors)
        self.table, self.layout = model.vocabulary.table(), model.layout
        self.most_words = self._network.size.words
        names = [name for name, _ in model.names]
        self._grounding = Grounding(model.vocabulary, names, self.most_words) if grounding else None
        self._pointing = pointing and self._network.motor.places is not None
        self._unknown = pattern(_unknown_names(model) if self._pointing else ())

    def begin(self, instruction: str) -> Prompt:
        """The instruction's keys and values."""
        states = self._states(instruction)
        return Prompt(self._network, torch.from_numpy(states).to(self.device), instruction)

    def look(self, prompt: Prompt, image: NDArray[np.uint8]) -> Reader:
        """Read an image uint8[H, W, 3]."""
        pixels = torch.from_numpy(prepare([image], self._network.size.eyes.image)).to(self.device)

        def act(plan: Plan | None) -> Tensor:
            text = prompt.instruction if plan is None else hidden(self.words(plan.words), self._unknown)
            vector = torch.from_numpy(self._vectors([text])).to(self.device)
            places = None
            if plan is not None and self._pointing:
                places = torch.tensor([plan.points(self.table)], device=self.device)
            return self.layout.of_logits(self._network.act(pixels, vector, places))[0]

        return self._reader(prompt, Look(self._network, pixels, act, self._grounding))

    def words(self, ids: Sequence[int]) -> str:
        """The text of ids."""
        return self._vocabulary.decode(ids)


def _unknown_names(model: Model) -> list[str]:
    """Names of objects that the model can see and RT-1 was not trained on; none where that is not known."""
    trained, tasks, things = model.origin.trained_on, BUNDLED.tasks(), BUNDLED.things()
    met = {name for task in trained.get("tasks", ()) if task in tasks for name in tasks[task].objects}
    known = {things[name].names[0] for name in {*met, *trained.get("objects", ())} if name in things}
    objects = [name for name, kind in model.names if kind in get_args(Kind)]
    return [name for name in objects if name not in known] if known else []


def from_weights(  # noqa: PLR0913 - each is an argument of a card
    weights: str | Path | None = None,
    *,
    plan: bool = True,
    plan_steps: int = PLAN_STEPS,
    plan_only: bool = False,
    temperature: float = 0.0,
    terminate_threshold: float = 0.0,
    grounding: bool = True,
    pointing: bool = True,
    cache: bool = True,
    precision: str = FLOAT32,
    threads: int = THREADS,
    device: str = "cpu",
) -> RT2Policy:
    """The policy of a file of weights of our own network: what policy cards name.

    Args:
        weights: File that `rtbench train rt2` made.
        plan: Whether it states plans. With `plan=off` it acts at once.
        plan_steps: Steps for which a plan is kept, unless a sub-goal is reached before. 0: for the whole
            episode, which is planned before the arm hides anything.
        plan_only: An episode ends with its first plan, so that a run measures the choice of targets alone,
            in seconds an episode; see "Target choice" in its report.
        temperature: Tokens are drawn with probabilities to the power of 1 / temperature, from the episode's
            seed; the mode never is. 0: the likeliest.
        terminate_threshold: Least probability at which it ends an episode. 0: whenever that is the likeliest
            mode.
        grounding: Whether names and places of a plan are chosen together, among the things that are seen.
            With `grounding=off` they are as they were decided, one after the other.
        pointing: Whether RT-1 is told the places of a plan, where its weights can be. With `pointing=off` it
            acts by the words alone.
        cache: Whether keys and values are kept while tokens are decided; without, all is computed again for
            each token, for comparison.
        precision: 'float32'; or 'int8' for matrices of the decoder in eight bits, on a CPU.
        threads: CPU threads, for the whole process.
        device: Where to compute: 'cpu' or 'cuda'.

    Raises:
        PolicyError: no weights, ones that cannot be used, or an argument that cannot be.
    """
    if weights is None or not Path(weights).exists():
        raise PolicyError(
            f"no weights{f' at {weights}' if weights else ''}. Make them with `rtbench train rt2 --data FILE "
            "--output DIR`; then give the file as the argument 'weights'."
        )
    model = load(Path(weights))
    if model.origin.encoder_sha256 != ENCODER_SHA256:
        raise PolicyError(
            f"{weights}: trained with language encoder {model.origin.encoder} "
            f"(SHA-256 {model.origin.encoder_sha256}); this rtbench has {ENCODER}, {ENCODER_SHA256}."
        )
    if precision not in PRECISIONS:
        raise UnknownNameError("precision", precision, PRECISIONS)
    if precision == INT8 and torch.device(device).type != "cpu":
        raise PolicyError("precision 'int8' is for device 'cpu'; leave one of the two out.")
    torch.set_num_threads(threads)
    body = SmallBody(
        model,
        cache=cache,
        device=usable_device(device),
        precision=precision,
        grounding=grounding,
        pointing=pointing,
    )
    planning = Planning(plan, plan_steps, plan_only)
    return RT2Policy(body, planning, temperature=temperature, terminate_threshold=terminate_threshold)


def usable_device(name: str) -> torch.device:
    """The device of that name.

    Raises:
        PolicyError: it is not here.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise PolicyError(f"device {name!r} cannot be used here: {reason}; 'cpu' always can.") from None
    return device

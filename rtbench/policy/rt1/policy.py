"""RT-1 as a policy: a window of frames for each slot, of which only the newest is looked at anew.

Image tokens depend on their frame and the instruction alone, so those of earlier frames are kept. The
transformer runs over the whole window in each step: positions are absolute, and move as the window does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtbench.core.action import BINS, Mode
from rtbench.core.action import convention as action_convention
from rtbench.core.episode import Observation
from rtbench.core.errors import PolicyError
from rtbench.core.seeding import generator
from rtbench.policy.base import Needs
from rtbench.policy.rt1.checkpoint import GOOGLE, Origin, load
from rtbench.policy.rt1.image import prepare
from rtbench.policy.rt1.inference_network import folded
from rtbench.policy.rt1.network import RT1
from rtbench.policy.text_encoder.encoder import SentenceEncoder
from rtbench.policy.text_encoder.user_encoder import SentenceError

CAMERA = "head"
RENAMED_ARGUMENTS = {"sure": "terminate_threshold"}
"""Former names of arguments of `from_weights` -> today's."""
THREADS = 1
"""CPU threads where none are asked for. On two cores that others used as well, one thread decided in 180 ms
and two in 4,100 (paper; small: 23 and 109), for OpenMP's threads wait for each other by spinning; and in a
run the simulators want the other cores."""


class Encoder(Protocol):
    """What turns sentences into vectors; `SentenceEncoder` does."""

    id: str

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors float32[len(texts), D]."""
        ...


@dataclass
class _Slot:
    """What an episode has shown."""

    condition: Tensor
    """float32[K]: what its instruction does to images."""
    random: np.random.Generator
    """Of its actions, where they are drawn."""
    tokens: Tensor
    """float32[T, tokens, features]: image tokens from the oldest on; zero where there are none yet."""
    length: int = 0
    """Frames that are there."""


class RT1Policy:
    """Takes the likeliest value of each action token, or draws it."""

    def __init__(  # noqa: PLR0913 - each is an argument of a card
        self,
        network: RT1,
        encoder: Encoder,
        *,
        terminate_threshold: float = 0.0,
        temperature: float = 0.0,
        invalid_mode_terminates: bool = False,
        threads: int | None = None,
        device: str = "cpu",
    ) -> None:
        """The policy of a network.

        Args:
            network: A copy of it is used, so that it may be trained on.
            encoder: Language encoder that it was trained with.
            terminate_threshold: Least probability at which it terminates an episode. 0: whenever terminate is
                the likeliest mode, as published.
            temperature: Values are drawn with probabilities to the power of 1 / temperature; the mode never
                is. 0: the likeliest, as published.
            invalid_mode_terminates: A mode token of 3 or more means terminate, as in the published code; else
                such tokens are never chosen.
            threads: CPU threads, for the whole process; None: as many as PyTorch uses already.
            device: Where to compute: 'cpu' or 'cuda'.

        Raises:
            PolicyError: a device that is not here.
        """
        self._device = _device(device)
        self._network = folded(network, self._device, all_modes=invalid_mode_terminates)
        self._encoder, self._threshold, self._temperature = encoder, terminate_threshold, temperature
        self._end = action_convention(network.convention).modes.index(Mode.TERMINATE)
        ends = [self._end, *range(len(Mode), BINS)] if invalid_mode_terminates else [self._end]
        self._ends = torch.tensor(ends, device=self._device)
        self._slots: dict[int, _Slot] = {}
        self.needs = Needs(cameras=(CAMERA,), history=network.size.frames, convention=network.convention)
        if threads is not None:
            torch.set_num_threads(threads)
        self.threads = torch.get_num_threads()
        """CPU threads that it computes with."""

    @torch.inference_mode()
    def reset(self, slot: int, instruction: str, seed: int) -> None:
        """Begin an episode: no frames, a new instruction."""
        size = self._network.size
        vector = self._encoder([instruction])[0]
        if vector.shape != (size.text,):
            raise PolicyError(
                f"language encoder {self._encoder.id} gives {vector.size} numbers; "
                f"the network takes {size.text}."
            )
        self._slots[slot] = _Slot(
            self._network.condition(torch.from_numpy(vector[None]).to(self._device))[0],
            generator("rt1 actions", seed),
            torch.zeros(size.frames, size.tokens, size.features, device=self._device),
        )

    @torch.inference_mode()
    def act(self, observations: Sequence[Observation], slots: Sequence[int]) -> NDArray[np.int64]:
        """Tokens int64[len(slots), 11]."""
        windows = [self._slots[slot] for slot in slots]
        size = self._network.size
        images = prepare([seen.images[CAMERA] for seen in observations], size.image, published=size.published)
        condition = torch.stack([window.condition for window in windows])
        tokens = self._network.image_tokens(images.to(self._device), condition)
        for window, token in zip(windows, tokens, strict=True):
            _append(window, token)
        lengths = torch.tensor([window.length for window in windows], device=self._device)
        logits = self._network.decide(torch.stack([window.tokens for window in windows]), lengths)
        modes = logits[:, self._network.mode_slot]
        doubtful = modes.softmax(-1)[:, self._ends].sum(-1) < self._threshold
        modes[:, self._ends] = modes[:, self._ends].masked_fill(doubtful[:, None], -torch.inf)
        if self._temperature:
            logits = self._drawn(logits, windows)
        chosen: NDArray[np.int64] = logits.argmax(-1).cpu().numpy()
        mode = chosen[:, self._network.mode_slot]
        mode[mode >= len(Mode)] = self._end
        return chosen

    def _drawn(self, logits: Tensor, windows: Sequence[_Slot]) -> Tensor:
        """Logits whose largest is a draw: with noise that each slot draws for itself, whatever its batch."""
        gumbel = np.stack([window.random.gumbel(size=logits.shape[1:]) for window in windows])
        noise = torch.from_numpy(self._temperature * gumbel).to(logits)
        noise[:, self._network.mode_slot] = 0
        return logits + noise


def from_weights(  # noqa: PLR0913 - each is an argument of a card
    weights: str | Path | None = None,
    *,
    encoder: str | None = None,
    convention: str | None = None,
    terminate_threshold: float = 0.0,
    temperature: float = 0.0,
    invalid_mode_terminates: bool | None = None,
    threads: int = THREADS,
    device: str = "cpu",
) -> RT1Policy:
    """The policy of a file of weights: what policy cards name.

    Args:
        weights: File that `rtbench train rt1` or `rtbench import rt1` made.
        encoder: Language encoder, for `SentenceEncoder`; None: the one that the weights name.
        convention: Action convention that the weights must have; None: theirs.
        terminate_threshold: Least probability at which it terminates an episode. Terminating too early fails
            the episode, terminating late costs a step. 0: whenever terminate is the likeliest mode, as
            published.
        temperature: Action values are drawn with probabilities to the power of 1 / temperature, from the
            episode's seed. A policy that always takes the likeliest value can repeat an action without
            effect for ever. 0: the likeliest, as published. The mode is never drawn.
        invalid_mode_terminates: A mode token of 3 or more means terminate, as in the published code; else
            such tokens are never chosen. None: as published for weights that were imported from Google.
        threads: CPU threads, for the whole process.
        device: Where to compute: 'cpu' or 'cuda'.

    Raises:
        PolicyError: no weights, ones that cannot be used, or another language encoder than their own.
    """
    if weights is None or not Path(weights).exists():
        raise PolicyError(
            f"no weights{f' at {weights}' if weights else ''}. Make them with `rtbench train rt1 --data FILE "
            "--output DIR`, or take released ones with `rtbench import rt1 FOLDER --output FILE`; then give "
            "the file as the argument 'weights'."
        )
    path = Path(weights)
    checkpoint = load(path, convention=convention)
    language = _encoder(path, encoder, checkpoint.origin)
    if invalid_mode_terminates is None:
        invalid_mode_terminates = checkpoint.origin.source == GOOGLE
    return RT1Policy(
        checkpoint.network,
        language,
        terminate_threshold=terminate_threshold,
        temperature=temperature,
        invalid_mode_terminates=invalid_mode_terminates,
        threads=threads,
        device=device,
    )


def _encoder(path: Path, source: str | None, origin: Origin) -> SentenceEncoder:
    """The encoder of that name, or the one that weights name; refused if they were trained with another."""
    try:
        encoder = SentenceEncoder(source or origin.encoder)
    except SentenceError as error:
        raise PolicyError(
            f"{path}: trained with language encoder {origin.encoder}. {error} It is the argument 'encoder'."
        ) from None
    if origin.encoder_sha256 and encoder.sha256 != origin.encoder_sha256:
        raise PolicyError(
            f"{path}: trained with language encoder {origin.encoder} (SHA-256 {origin.encoder_sha256}); "
            f"{encoder.id} is {encoder.sha256}. Give the first as the argument 'encoder'."
        )
    return encoder


def _append(window: _Slot, token: Tensor) -> None:
    """Left-aligned: a window fills from its beginning, then rolls."""
    if window.length == len(window.tokens):
        window.tokens = torch.cat([window.tokens[1:], token[None]])
    else:
        window.tokens[window.length] = token
        window.length += 1


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise PolicyError(f"device {name!r} cannot be used here: {reason}; 'cpu' always can.") from None
    return device

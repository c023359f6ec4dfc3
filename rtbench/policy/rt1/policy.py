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

from rtbench.core.action import Mode
from rtbench.core.action import convention as action_convention
from rtbench.core.episode import Observation
from rtbench.core.errors import PolicyError
from rtbench.core.seeding import generator
from rtbench.policy.base import Needs
from rtbench.policy.rt1.checkpoint import Origin, load
from rtbench.policy.rt1.image import prepare
from rtbench.policy.rt1.inference_network import folded
from rtbench.policy.rt1.network import RT1
from rtbench.policy.text_encoder.encoder import SentenceEncoder
from rtbench.policy.text_encoder.user_encoder import SentenceError

CAMERA = "head"
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

    def __init__(
        self,
        network: RT1,
        encoder: Encoder,
        *,
        sure: float = 0.0,
        temperature: float = 0.0,
        threads: int | None = None,
        device: str = "cpu",
    ) -> None:
        """The policy of a network.

        Args:
            network: A copy of it is used, so that it may be trained on.
            encoder: Language encoder that it was trained with.
            sure: Least probability at which it ends an episode. 0: whenever that is likeliest, as published.
            temperature: Values are drawn with probabilities to the power of 1 / temperature; the mode never
                is. 0: the likeliest, as published.
            threads: CPU threads, for the whole process; None: as many as PyTorch uses already.
            device: Where to compute: 'cpu' or 'cuda'.

        Raises:
            PolicyError: a device that is not here.
        """
        self._device = _device(device)
        self._network = folded(network, self._device)
        self._encoder, self._sure, self._temperature = encoder, sure, temperature
        self._end = action_convention(network.convention).modes.index(Mode.TERMINATE)
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
        images = prepare([seen.images[CAMERA] for seen in observations], self._network.size.image)
        condition = torch.stack([window.condition for window in windows])
        tokens = self._network.image_tokens(images.to(self._device), condition)
        for window, token in zip(windows, tokens, strict=True):
            _append(window, token)
        lengths = torch.tensor([window.length for window in windows], device=self._device)
        logits = self._network.decide(torch.stack([window.tokens for window in windows]), lengths)
        modes = logits[:, self._network.mode_slot]
        modes[modes.softmax(-1)[:, self._end] < self._sure, self._end] = -torch.inf
        if self._temperature:
            logits = self._drawn(logits, windows)
        chosen: NDArray[np.int64] = logits.argmax(-1).cpu().numpy()
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
    sure: float = 0.0,
    temperature: float = 0.0,
    threads: int = THREADS,
    device: str = "cpu",
) -> RT1Policy:
    """The policy of a file of weights: what policy cards name.

    Args:
        weights: File that `rtbench train rt1` or `rtbench import rt1` made.
        encoder: Language encoder, for `SentenceEncoder`; None: the one that the weights name.
        convention: Action convention that the weights must have; None: theirs.
        sure: Least probability at which it ends an episode. Who ends too early has failed; who ends late has
            lost a step. 0: whenever that is likeliest, as published.
        temperature: Action values are drawn with probabilities to the power of 1 / temperature, from the
            episode's seed. Who does what is likeliest repeats for ever what has not helped. 0: the
            likeliest, as published. The mode is never drawn.
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
    return RT1Policy(
        checkpoint.network, language, sure=sure, temperature=temperature, threads=threads, device=device
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

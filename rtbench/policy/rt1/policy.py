"""RT-1 as a policy: a window of frames for each slot, of which only the newest is looked at anew.

Image tokens depend on their frame and the instruction alone, so those of earlier frames are kept. The
transformer runs over the whole window in each step: positions are absolute, and move as the window does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import BINS, MODE, Mode
from rtbench.core.action import convention as action_convention
from rtbench.core.episode import Observation
from rtbench.core.errors import PolicyError
from rtbench.core.seeding import generator
from rtbench.policy.base import Needs
from rtbench.policy.rt1.image import prepare
from rtbench.policy.rt1.inference import Inference
from rtbench.policy.rt1.weights import GOOGLE, Origin, Weights, read
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

    text: NDArray[np.float32]
    """float32[1, text]: the vector of its instruction."""
    random: np.random.Generator
    """Of its actions, where they are drawn."""
    tokens: NDArray[np.float32]
    """float32[T, tokens, features]: image tokens from the oldest on, at most as many as the window has."""


class RT1Policy:
    """Takes the likeliest value of each action token, or draws it."""

    def __init__(  # noqa: PLR0913 - each is an argument of a card
        self,
        weights: Weights,
        encoder: Encoder,
        *,
        terminate_threshold: float = 0.0,
        temperature: float = 0.0,
        invalid_mode_terminates: bool = False,
        threads: int = THREADS,
        device: str = "cpu",
    ) -> None:
        """The policy of a network.

        Args:
            weights: They are copied. Of a network in training, `rtbench.policy.rt1.checkpoint.weights_of`.
            encoder: Language encoder that it was trained with.
            terminate_threshold: Least probability at which it terminates an episode. 0: whenever terminate is
                the likeliest mode, as published.
            temperature: Values are drawn with probabilities to the power of 1 / temperature; the mode never
                is. 0: the likeliest, as published.
            invalid_mode_terminates: A mode token of 3 or more means terminate, as in the published code; else
                such tokens are never chosen.
            threads: CPU threads.
            device: Where to compute: 'cpu' or 'cuda', see `Inference`.

        Raises:
            PolicyError: a device that is not here.
        """
        self._network = Inference(weights, all_modes=invalid_mode_terminates, threads=threads, device=device)
        self._encoder, self._threshold, self._temperature = encoder, terminate_threshold, temperature
        convention = action_convention(weights.convention)
        self._mode = convention.order.index(MODE)
        self._end = convention.modes.index(Mode.TERMINATE)
        self._ends = [self._end, *range(len(Mode), BINS)] if invalid_mode_terminates else [self._end]
        self._slots: dict[int, _Slot] = {}
        self.needs = Needs(cameras=(CAMERA,), history=weights.size.frames, convention=weights.convention)
        self.fingerprint = self._network.engine
        """What computes: another version may round otherwise, so it is part of a run's id."""
        self.threads = threads
        """CPU threads that it computes with."""

    def reset(self, slot: int, instruction: str, seed: int) -> None:
        """Begin an episode: no frames, a new instruction."""
        size = self._network.size
        vector = self._encoder([instruction])
        if vector.shape != (1, size.text):
            raise PolicyError(
                f"language encoder {self._encoder.id} gives {vector.size} numbers; "
                f"the network takes {size.text}."
            )
        nothing = np.zeros((0, size.tokens, size.features), dtype=np.float32)
        self._slots[slot] = _Slot(vector, generator("rt1 actions", seed), nothing)

    def act(self, observations: Sequence[Observation], slots: Sequence[int]) -> NDArray[np.int64]:
        """Tokens int64[len(slots), 11]."""
        size = self._network.size
        images = prepare([seen.images[CAMERA] for seen in observations], size.image, published=size.published)
        return np.stack(
            [self._act(self._slots[slot], image[None]) for slot, image in zip(slots, images, strict=True)]
        )

    def _act(self, window: _Slot, image: NDArray[np.float32]) -> NDArray[np.int64]:
        """Tokens int64[11] of one slot for its image float32[1, 3, H, W]."""
        newest = self._network.image_tokens(image, window.text)
        # A window fills from its beginning, then rolls.
        window.tokens = np.concatenate([window.tokens, newest])[-self._network.size.frames :]
        logits = self._network.decide(window.tokens)
        modes = logits[self._mode]
        chances = np.exp(modes - modes.max())
        if chances[self._ends].sum() < self._threshold * chances.sum():
            modes[self._ends] = -np.inf
        if self._temperature:
            # Each slot draws for itself, whatever its batch; the largest of such sums is a draw.
            noise = self._temperature * window.random.gumbel(size=logits.shape)
            noise[self._mode] = 0
            logits = logits + noise.astype(np.float32)
        chosen = logits.argmax(-1)
        if chosen[self._mode] >= len(Mode):
            chosen[self._mode] = self._end
        return cast("NDArray[np.int64]", chosen.astype(np.int64))


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
        threads: CPU threads.
        device: Where to compute: 'cpu' or 'cuda', see `Inference`.

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
    found = read(path, convention=convention)
    language = _encoder(path, encoder, found.origin)
    if invalid_mode_terminates is None:
        invalid_mode_terminates = found.origin.source == GOOGLE
    return RT1Policy(
        found,
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

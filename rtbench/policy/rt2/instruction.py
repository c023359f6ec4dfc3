"""Instructions as token states of MiniLM, frozen.

Of a sentence's vector, token states and MiniLM's table of word pieces, token states carried most of what no
demonstration says: with them the right things were named in 68 % of emergent episodes, against 60 and 59 %.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from rtbench.policy.text_encoder.encoder import DEFAULT, DEFAULT_SHA256
from rtbench.policy.text_encoder.minilm import MiniLM, package_folder

ENCODER, ENCODER_SHA256 = DEFAULT, DEFAULT_SHA256
"""Name and hash of the encoder, for weights."""


class TokenStates:
    """Encodes texts, each only once."""

    def __init__(self) -> None:
        """Read the encoder's weights.

        Raises:
            SentenceError: it is not installed, or its weights have another hash.
        """
        self._encoder = MiniLM(package_folder(), DEFAULT_SHA256)
        self._known: dict[str, NDArray[np.float32]] = {}

    def forget(self) -> None:
        """Drop what is kept; for a caller that keeps the states itself."""
        self._known.clear()

    def __call__(self, text: str, most: int) -> NDArray[np.float32]:
        """The states of a text's word pieces, float32[n, 384], n at most `most`; the rest is cut off."""
        # Python reads bytes of a shell that are no UTF-8 as lone surrogates, which no tokenizer accepts.
        plain = text.encode("utf-8", "replace").decode()
        if plain not in self._known:
            self._known[plain] = _states(self._encoder, plain)
        return self._known[plain][:most]


@torch.inference_mode()
def _states(encoder: MiniLM, text: str) -> NDArray[np.float32]:
    """All outputs of the last layer, float32[n, 384]."""
    pieces = encoder._tokenizer.encode(text).ids  # noqa: SLF001
    flow = encoder._norm(encoder._words[pieces] + encoder._places[: len(pieces)])[None]  # noqa: SLF001
    for layer in encoder._layers:  # noqa: SLF001
        flow = layer(flow)
    found: NDArray[np.float32] = flow[0].numpy().copy()
    return found

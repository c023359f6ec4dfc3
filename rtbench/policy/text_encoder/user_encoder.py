"""Sentence encoders in a user's folder: sentence-transformers and Universal Sentence Encoder."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rtbench.core.errors import RtbenchError


class SentenceError(RtbenchError):
    """A sentence encoder that is missing, broken, or of another hash."""


class Encoder(Protocol):
    """Turns a sentence into a vector, and into a state for each of its tokens."""

    size: int
    """Length of a vector."""
    state_size: int
    """Length of a token's state; 0: it has none."""

    def encode(self, text: str) -> NDArray[np.float32]:
        """Vector float32[size]."""
        ...

    def token_states(self, text: str) -> NDArray[np.float32]:
        """Outputs of the last layer, float32[P, state_size], for the P tokens of a sentence.

        Raises:
            SentenceError: it has none.
        """
        ...


class SentenceTransformer:
    """Any encoder of sentence-transformers, with normalised vectors."""

    def __init__(self, folder: Path) -> None:
        """Load it, from this folder only. Code in the folder is not run.

        Raises:
            SentenceError: not installed, or a folder that it cannot read.
        """
        try:
            model = import_module("sentence_transformers").SentenceTransformer
        except ModuleNotFoundError:
            raise _missing(folder, "sentence-transformers", "sentence-transformers") from None
        try:
            self._model: Any = model(
                str(folder),
                device="cpu",
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            )
        except Exception as error:  # its parts raise many kinds of errors, all caused by the folder
            raise _unreadable(folder, error) from error
        self.size = int(self._model.get_embedding_dimension() or 0)
        self.state_size = int(getattr(self._model[0], "get_embedding_dimension", lambda: 0)() or 0)

    def encode(self, text: str) -> NDArray[np.float32]:
        """Vector float32[size] of norm one."""
        vector = self._model.encode([text], normalize_embeddings=True, show_progress_bar=False)[0]
        return np.asarray(vector, dtype=np.float32)

    def token_states(self, text: str) -> NDArray[np.float32]:
        """Outputs of its transformer, float32[P, state_size].

        Raises:
            SentenceError: it is not a transformer.
        """
        if not self.state_size:
            raise SentenceError("this language encoder has no states of tokens; give a transformer's folder.")
        states = self._model.encode([text], output_value="token_embeddings", show_progress_bar=False)[0]
        return np.asarray(states.cpu(), dtype=np.float32)


class UniversalSentenceEncoder:
    """Universal Sentence Encoder (Cer et al. 2018), which the released RT-1 checkpoints were trained with.

    The norm of its vectors is nearly one. They are not normalised, because RT-1 was trained with them so.
    """

    size = 512
    state_size = 0

    def __init__(self, folder: Path) -> None:
        """Load it.

        Raises:
            SentenceError: TensorFlow is not installed, or the folder cannot be read.
        """
        try:
            tf = import_module("tensorflow")
        except ModuleNotFoundError:
            raise _missing(folder, "TensorFlow", "rtbench[tensorflow]") from None
        try:
            self._model: Any = tf.saved_model.load(str(folder))
        except Exception as error:
            raise _unreadable(folder, error) from error

    def encode(self, text: str) -> NDArray[np.float32]:
        """Vector float32[512]."""
        vector = np.asarray(self._model([text]), dtype=np.float32)
        if vector.shape != (1, self.size):
            raise SentenceError(
                f"the SavedModel gives {vector.shape} for a sentence; expected (1, {self.size})."
            )
        first: NDArray[np.float32] = vector[0]
        return first

    def token_states(self, text: str) -> NDArray[np.float32]:
        """It has none.

        Raises:
            SentenceError: always.
        """
        raise SentenceError(
            f"Universal Sentence Encoder has no states of tokens, as were asked of {text!r};"
            " give a transformer's folder."
        )


def kind(folder: Path) -> Callable[[Path], Encoder]:
    """Encoder class for a folder, by the files in it.

    Raises:
        SentenceError: an unknown kind, or weights in pickles.
    """
    if (folder / "saved_model.pb").is_file():
        return UniversalSentenceEncoder
    if not (folder / "modules.json").is_file():
        raise SentenceError(
            f"language encoder {folder}: has neither modules.json (sentence-transformers) nor saved_model.pb"
            " (Universal Sentence Encoder)."
        )
    for path in sorted(folder.rglob("pytorch_model*.bin")):
        if not any(path.parent.glob("*.safetensors")):
            raise SentenceError(
                f"{path}: is a pickle, which can run code; save the encoder again with save_pretrained"
                " (safetensors)."
            )
    return SentenceTransformer


def _missing(folder: Path, what: str, package: str) -> SentenceError:
    return SentenceError(f"language encoder {folder}: needs {what}; run `pip install '{package}'`.")


def _unreadable(folder: Path, error: Exception) -> SentenceError:
    lines = str(error).strip().splitlines() or ["no reason given"]
    return SentenceError(f"language encoder {folder}: cannot be loaded: {type(error).__name__}: {lines[0]}")

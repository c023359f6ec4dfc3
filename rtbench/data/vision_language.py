"""Pictures with questions and answers: what a vision-language model is trained on beside demonstrations.

A file is HDF5. Its attributes are ``format``, ``schema``, ``size`` (height and width of the pictures),
``settings`` (JSON: how it was made) and ``held_out`` (JSON: what was left out on purpose). It has

- ``images`` uint8[N, h, w, 3], RGB;
- ``naming``: ``counts``, ``names``, ``places`` and ``shares``, with the attribute ``vocabulary``, as in
  demonstrations: the names of all that is seen in each picture; see `rtbench.data.naming.Naming`;
- ``pairs``, M of them: ``picture`` int32[M], the number of a pair's picture, -1 for text alone; ``question``,
  ``answer``, ``kind`` and ``language``, UTF-8; ``first`` int64[M + 1], its first place; ``places``
  float32[P, 2], x and y from 0 to 1 from the upper left; ``names``, UTF-8[P].
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from rtbench.core.atomic_write import atomic_write
from rtbench.core.errors import RtbenchError
from rtbench.data.hdf5_errors import writing
from rtbench.data.hdf5_probe import ProbeError, probe
from rtbench.data.naming import Name, Naming, join, problem

FORMAT, SCHEMA = "rtbench-vision-language", 1
MAX_PLACES = 4
"""Places of an answer at most."""
_TEXTS = ("question", "answer", "kind", "language")
_UTF8 = h5py.string_dtype()


class VisionLanguageError(RtbenchError):
    """A file of vision-language data that cannot be read or written."""


@dataclass(frozen=True)
class NamedPlace:
    """A place in a picture, with the name of what is there."""

    name: str
    """In the words of instructions."""
    x: float
    """From 0 at the left to 1 at the right."""
    y: float
    """From 0 at the top to 1 at the bottom."""


@dataclass(frozen=True)
class Pair:
    """A question with its answer."""

    question: str
    """What stands in the prompt, in any language."""
    answer: str
    """What is to be said; '' where the places alone are the answer."""
    places: tuple[NamedPlace, ...] = ()
    """Places to be pointed at after the words, in order; at most `MAX_PLACES`."""
    kind: str = ""
    """What it asks for, such as 'where' or 'count'; results are counted by it."""
    language: str = "en"
    """BCP 47 tag of the question."""


@dataclass(frozen=True)
class VisionLanguage:
    """Pictures and pairs in memory."""

    images: NDArray[np.uint8]
    """uint8[N, h, w, 3], RGB."""
    naming: Naming
    """Names and places of all that is seen in the N pictures."""
    pairs: tuple[Pair, ...]
    """The M pairs."""
    pictures: NDArray[np.int64]
    """int64[M]: number of each pair's picture; -1 for text alone."""
    held_out: Mapping[str, Any] = field(default_factory=dict)
    """What was left out on purpose, as its maker describes it."""


class VisionLanguageWriter:
    """Writes a file, whole or not at all; use it in a `with` statement."""

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        *,
        settings: Mapping[str, Any] | None = None,
        held_out: Mapping[str, Any] | None = None,
    ) -> None:
        """Begin a file beside `path`, which it replaces at the end of the `with` statement.

        Args:
            path: The file.
            size: Height and width of the pictures [pixels].
            settings: Plain values: how it is made.
            held_out: Plain values: what is left out on purpose.

        Raises:
            VisionLanguageError: the folder cannot be written.
        """
        self._path, self._size = path, size
        self._namings: list[Naming] = []
        self._pairs: list[Pair] = []
        self._pictures: list[int] = []
        self._open = ExitStack()
        with writing(self._path, VisionLanguageError):
            beside = self._open.enter_context(atomic_write(path))
            self._file = self._open.enter_context(h5py.File(beside, "w"))
            self._images = self._file.create_dataset(
                "images",
                (0, *size, 3),
                np.uint8,
                maxshape=(None, *size, 3),
                chunks=(1, *size, 3),
                compression="gzip",
                compression_opts=4,
            )
        about = {"format": FORMAT, "schema": SCHEMA, "size": size}
        texts = {"settings": dict(settings or {}), "held_out": dict(held_out or {})}
        self._file.attrs.update({**about, **{name: json.dumps(value) for name, value in texts.items()}})

    def picture(self, image: NDArray[np.uint8], naming: Naming | None = None) -> int:
        """Add a picture uint8[h, w, 3] with the labels of its one frame; gives its number.

        Raises:
            VisionLanguageError: a picture of another size, labels that are wrong, or a disk that is full.
        """
        number = len(self._namings)
        labels = Naming.none(1) if naming is None else naming
        if image.shape != (*self._size, 3) or image.dtype != np.uint8:
            wanted = f"uint8{[*self._size, 3]}"
            raise VisionLanguageError(
                f"{self._path}: picture {number} is {image.dtype}{list(image.shape)}, expected {wanted}."
            )
        if reason := problem(labels, 1):
            raise VisionLanguageError(f"{self._path}: picture {number}: {reason}.")
        with writing(self._path, VisionLanguageError):
            self._images.resize(number + 1, 0)
            self._images[number] = image
        self._namings.append(labels)
        return number

    def pair(self, pair: Pair, picture: int | None = None) -> None:
        """Add a pair about a picture, by its number; None for text alone.

        Raises:
            VisionLanguageError: no such picture, no question, nothing to answer, or places that cannot be.
        """
        where = f"{self._path}: pair {len(self._pairs)} ({pair.question!r})"
        if picture is not None and not 0 <= picture < len(self._namings):
            raise VisionLanguageError(f"{where}: picture {picture} of {len(self._namings)}; add it first.")
        if reason := _problem(pair, picture):
            raise VisionLanguageError(f"{where}: {reason}.")
        self._pairs.append(pair)
        self._pictures.append(-1 if picture is None else picture)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._open.__exit__(kind, error, trace)
            return
        with writing(self._path, VisionLanguageError), self._open:
            self._finish()

    def _finish(self) -> None:
        naming = join(self._namings) if self._namings else Naming.none(0)
        group = self._file.create_group("naming")
        group.attrs["vocabulary"] = json.dumps(naming.vocabulary, ensure_ascii=False)
        for name in ("counts", "names", "places", "shares"):
            group.create_dataset(name, data=getattr(naming, name))
        pairs = self._file.create_group("pairs")
        pairs.create_dataset("picture", data=np.array(self._pictures, np.int32))
        for name in _TEXTS:
            pairs.create_dataset(name, data=[getattr(pair, name) for pair in self._pairs], dtype=_UTF8)
        places = [place for pair in self._pairs for place in pair.places]
        first = np.cumsum([0, *(len(pair.places) for pair in self._pairs)])
        pairs.create_dataset("first", data=first.astype(np.int64))
        points = np.array([(place.x, place.y) for place in places], np.float32).reshape(-1, 2)
        pairs.create_dataset("places", data=points)
        pairs.create_dataset("names", data=[place.name for place in places], dtype=_UTF8)


def read(path: Path) -> VisionLanguage:
    """Read a file whole.

    Raises:
        VisionLanguageError: no such file, one of another kind or schema, or one that is damaged.
    """
    try:
        probe(path)
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT or int(file.attrs["schema"]) != SCHEMA:
                raise VisionLanguageError(
                    f"{path}: HDF5, but no vision-language data of schema {SCHEMA}; make some with "
                    "`rtbench vqa`."
                )
            found = _read(file)
    except (ProbeError, OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        reason = "no such file" if not path.exists() else f"damaged, or no HDF5: {error}"
        raise VisionLanguageError(f"{path}: {reason}; make it with `rtbench vqa`.") from None
    if reason := _inconsistency(found):
        raise VisionLanguageError(f"{path}: {reason}; make it anew with `rtbench vqa`.")
    return found


def read_all(paths: Sequence[Path]) -> VisionLanguage:
    """All files as one, in order; at least one.

    Raises:
        VisionLanguageError: as of `read`, or pictures of different sizes.
    """
    parts = [read(path) for path in paths]
    for path, part in zip(paths, parts, strict=True):
        if part.images.shape[1:] != parts[0].images.shape[1:]:
            found, wanted = (tuple(one.images.shape[1:3]) for one in (part, parts[0]))
            raise VisionLanguageError(f"{path}: pictures of {found} pixels, the others have {wanted}.")
    shifts = np.cumsum([0, *(len(part.images) for part in parts)])
    pictures = [
        np.where(part.pictures < 0, -1, part.pictures + shift)
        for part, shift in zip(parts, shifts[:-1], strict=True)
    ]
    return VisionLanguage(
        images=np.concatenate([part.images for part in parts]),
        naming=join([part.naming for part in parts]),
        pairs=tuple(pair for part in parts for pair in part.pairs),
        pictures=np.concatenate(pictures),
        held_out={path.name: dict(part.held_out) for path, part in zip(paths, parts, strict=True)},
    )


def _read(file: h5py.File) -> VisionLanguage:
    group, pairs = file["naming"], file["pairs"]
    vocabulary = tuple(Name(*map(str, entry)) for entry in json.loads(group.attrs["vocabulary"]))
    naming = Naming(
        vocabulary,
        group["counts"][:].astype(np.int64),
        group["names"][:].astype(np.int64),
        group["places"][:].astype(np.float32),
        group["shares"][:].astype(np.float32),
    )
    texts = [pairs[name].asstr()[:].tolist() for name in _TEXTS]
    points, names = pairs["places"][:].tolist(), pairs["names"].asstr()[:].tolist()
    spans = pairwise(pairs["first"][:].tolist())
    found = [
        Pair(
            question,
            answer,
            tuple(NamedPlace(names[k], *points[k]) for k in range(start, end)),
            kind,
            language,
        )
        for (question, answer, kind, language), (start, end) in zip(
            zip(*texts, strict=True), spans, strict=True
        )
    ]
    return VisionLanguage(
        file["images"][:],
        naming,
        tuple(found),
        pairs["picture"][:].astype(np.int64),
        json.loads(file.attrs["held_out"]),
    )


def _problem(pair: Pair, picture: int | None) -> str:
    """What is wrong with a pair; '' if nothing is."""
    if not pair.question.strip():
        return "it has no question"
    if not pair.answer.strip() and not pair.places:
        return "it has neither an answer nor a place"
    if len(pair.places) > MAX_PLACES:
        return f"{len(pair.places)} places; at most {MAX_PLACES}"
    if pair.places and picture is None:
        return "places without a picture"
    bad = next((p for p in pair.places if not (0 <= p.x <= 1 and 0 <= p.y <= 1)), None)
    return f"the place of {bad.name!r} is ({bad.x}, {bad.y}); x and y are from 0 to 1" if bad else ""


def _inconsistency(found: VisionLanguage) -> str:
    """What does not fit together in a file; '' if all does."""
    count = len(found.images)
    if reason := problem(found.naming, count):
        return reason
    if len(found.pictures) != len(found.pairs) or (found.pictures >= count).any():
        return f"{len(found.pictures)} numbers of {count} pictures for {len(found.pairs)} pairs"
    pictures = found.pictures.tolist()
    for number, (pair, picture) in enumerate(zip(found.pairs, pictures, strict=True)):
        if reason := _problem(pair, None if picture < 0 else picture):
            return f"pair {number} ({pair.question!r}): {reason}"
    return ""

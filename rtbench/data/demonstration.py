"""Demonstrations in an HDF5 file, laid out as robomimic's are, one group an episode; `hdf5_writer` writes it.

The file's attributes: ``format``, ``schema``, ``convention`` (of the tokens), ``size`` (of the images) and
``settings`` (JSON: all settings of the recording). ``/data`` has ``total`` (frames) and ``env_args``
(JSON). ``/data/demo_N`` has the attributes ``num_samples`` (T), ``key``, ``task``, ``skill``,
``instruction``, ``seed``, ``success``, ``split``, ``policy``, ``fingerprint`` and ``episode`` (JSON of its
fields), and

- ``actions`` float32[T, 11]: the executed actions, in SI units and the order of `DIMENSIONS`;
- ``tokens`` uint8[T, 11]: the same in the file's convention; ``modes`` uint8[T]: their `Mode`;
- ``labels`` uint8[T, 11]: the closed-loop oracle's tokens in the same state;
- ``points`` float32[T, 4, 2]: the task's first object, second object, drawer and the gripper in the image, x
  and y from 0 to 1; NaN where there is none. Files of earlier versions have no points;
- ``grips`` float32[T, 4], in the base frame: offset of the first object from the hand, x, y, z [m], and the
  heading of the gripper's x axis for a grip, modulo half a turn [rad]; NaN where there is none, or any
  heading will do. Earlier files have none either;
- ``states`` float64[T, S]: the simulator's positions before each step, from which `rtbench looks` draws
  frames again; see `rtbench.data.state`. Earlier files have none;
- ``naming``, in files of `rtbench looks`: ``counts`` uint8[T], ``names`` uint16[M], ``places``
  float32[M, 2] and ``shares`` float32[M], and the attribute ``vocabulary`` (JSON: name and kind of each); see
  `Naming`. The demonstration's attribute ``look`` then names its look;
- ``rewards`` float32[T] and ``dones`` uint8[T]: 1 at the end of a success, and at the end;
- ``states_hash`` S8[T]: hash of the state after each step, as in a run's records;
- ``obs/head`` uint8[T, h, w, 3]: the head camera, made smaller by `shrink`; missing where the recording's
  settings have ``states_only``; ``obs/wrist`` is the wrist camera's, where the settings name it;
- ``obs/proprio`` float32[T, 15].

``/failed`` S16[n] has the keys of episodes that were played and not kept. The names are those of robomimic
0.5, "Dataset Structure" (robomimic.github.io/docs/datasets/overview.html).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import msgspec
import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import SIZE, Convention, convention
from rtbench.core.episode import Episode
from rtbench.core.errors import RtbenchError
from rtbench.data.hdf5_probe import ProbeError, probe
from rtbench.data.keypoints import GRIP, POINTS
from rtbench.data.naming import Name, Naming, problem
from rtbench.data.plain_hdf5 import arrays, check_array, plain_links

FORMAT, SCHEMA = "rtbench-demonstrations", 1
HASH_TYPE, KEY_TYPE = "S8", "S16"
OWN_LOOK = "own"
"""Name of the room's own look in a file that was drawn again."""
PROPRIO = 15
HEAD_ONLY = ("head",)
"""Cameras of a file that does not say."""
STATES_ONLY = "states_only"
"""Setting of a recording whose images are still to be drawn."""


class DemonstrationError(RtbenchError):
    """A file of demonstrations that cannot be read, written or used with others."""


class BrokenFileError(DemonstrationError):
    """A file of demonstrations that is cut off or damaged."""


@dataclass(frozen=True)
class Demonstration:
    """One episode of T steps, with the executed tokens and the oracle's."""

    episode: Episode
    """The episode that was played."""
    policy: str
    """Name of the policy that acted."""
    success: bool
    """Goal true when the episode ended."""
    fingerprint: str
    """Hash of the settled state in which it began."""
    tokens: NDArray[np.uint8]
    """uint8[T, 11]: executed tokens, in the file's convention."""
    labels: NDArray[np.uint8]
    """uint8[T, 11]: the oracle's tokens in the same states."""
    images: NDArray[np.uint8] | None
    """uint8[T, h, w, 3], RGB: image before each step; None where only states were recorded."""
    proprio: NDArray[np.float32]
    """float32[T, 15]: proprioception before each step; see `rtbench.core.episode.Observation`."""
    hashes: NDArray[np.bytes_]
    """S8[T]: hash of the state after each step."""
    points: NDArray[np.float32] | None = None
    """float32[T, 4, 2]: the task's objects and the hand in the image, x and y from 0 to 1."""
    grips: NDArray[np.float32] | None = None
    """float32[T, 4], base frame: the task's first object from the hand [m]; heading of the hand at which it
    grips it, modulo half a turn [rad]."""
    states: NDArray[np.float64] | None = None
    """float64[T, S]: the simulator's positions before each step; see `rtbench.data.state`."""
    naming: Naming | None = None
    """Names and places of all that is seen in each image."""
    wrist: NDArray[np.uint8] | None = None
    """uint8[T, h, w, 3], RGB: the wrist camera's image before each step, where it was recorded."""
    look: str = ""
    """The look under which the images were drawn; '': the scene's own."""

    def __len__(self) -> int:
        """T."""
        return len(self.tokens)

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The images, of a demonstration that has some: see `Demonstrations.check_images`."""
        if self.images is None:
            raise ValueError(f"demonstration of episode {self.episode.key} has no images")
        return self.images


@dataclass(frozen=True)
class Header:
    """Properties that all demonstrations of a file share."""

    convention: str = "rtbench"
    """Action convention of tokens and labels."""
    size: tuple[int, int] = (128, 160)
    """Height and width of the images [pixels]."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Plain values: all settings of the recording. Empty for a file that is not to be continued."""


class Demonstrations:
    """A file of demonstrations, open for reading; use it in a `with` statement or close it."""

    def __init__(self, path: str | Path, *, trusted: bool = True) -> None:
        """Open a file.

        Args:
            path: The file.
            trusted: Whether it is of this program's own making. Another one is first looked at by a process
                of its own, with a time limit (`rtbench.data.hdf5_probe`).

        Raises:
            DemonstrationError: no such file, one that was cut off, of another kind or schema, or that names
                an unknown convention; or one that cannot be read in time.
        """
        self.path = Path(path)
        try:
            if not trusted:
                probe(self.path)
        except ProbeError as error:
            raise DemonstrationError(f"{self.path}: {error}; give another file.") from None
        try:
            self._file = h5py.File(self.path, "r")
        except OSError as error:
            kind = DemonstrationError if error.errno else BrokenFileError
            raise kind(f"{self.path}: {_unreadable(self.path, error)}") from None
        try:
            self._read_head()
        except (
            KeyError,
            ValueError,
            TypeError,
            AttributeError,
            OSError,
            RuntimeError,
            RecursionError,
        ) as error:
            self._file.close()
            raise self._damaged("its head", error) from None
        except RtbenchError:
            self._file.close()
            raise

    def _read_head(self) -> None:
        attributes = self._file.attrs
        if attributes.get("format") != FORMAT:
            raise DemonstrationError(
                f"{self.path}: HDF5, but not written by `rtbench demos`; give one that is."
            )
        if (found := int(attributes["schema"])) != SCHEMA:
            raise DemonstrationError(
                f"{self.path}: schema {found}, this rtbench reads {SCHEMA}; record it anew."
            )
        self.convention: Convention = convention(str(attributes["convention"]))
        """Action convention of tokens and labels."""
        height, width = map(int, attributes["size"])
        self.header = Header(self.convention.name, (height, width), json.loads(attributes["settings"]))
        """Convention, image size and settings."""
        self.states_only = bool(self.header.settings.get(STATES_ONLY))
        """Whether there are states and no images yet; `rtbench looks` draws them."""
        self.cameras: tuple[str, ...] = tuple(self.header.settings.get("cameras", HEAD_ONLY))
        """Cameras whose images there are."""
        self.scattered = "frames" in self.header.settings.get("looks", {})
        """Whether demonstrations have single frames, with steps between them left out."""
        plain_links(self._file, ("data", "failed"))
        data = self._file["data"]
        names = [f"demo_{number}" for number in range(len(data))]
        plain_links(data, names)
        self._groups = [data[name] for name in names]
        self.lengths: NDArray[np.int64] = np.array(
            [group.attrs["num_samples"] for group in self._groups], dtype=np.int64
        )
        """int64[n]: steps of each."""
        if (total := int(data.attrs["total"])) != self.frames:
            raise ValueError(f"{self.frames} frames, its head says {total}")
        check_array(failed := self._file["failed"], "failed")
        self.failed = frozenset(key.decode() for key in failed[:])
        """Keys of episodes that failed and were not kept."""

    @property
    def frames(self) -> int:
        """Steps of all demonstrations."""
        return int(self.lengths.sum())

    @property
    def labels(self) -> int:
        """Names of what is seen in all frames together."""
        return sum(len(group["naming/names"]) for group in self._groups if "naming" in group)

    @property
    def keys(self) -> tuple[str, ...]:
        """Key of each demonstration's episode."""
        return tuple(str(group.attrs["key"]) for group in self._groups)

    @property
    def skills(self) -> tuple[str, ...]:
        """Skill of each demonstration."""
        return tuple(str(group.attrs["skill"]) for group in self._groups)

    def __len__(self) -> int:
        """Number of demonstrations."""
        return len(self._groups)

    def episode(self, number: int) -> Episode:
        """The episode of a demonstration, without its frames: task, skill, instruction, seed and all else."""
        try:
            return msgspec.json.decode(self._groups[number].attrs["episode"], type=Episode)
        except (KeyError, OSError, ValueError, msgspec.MsgspecError) as error:  # bytes that are no UTF-8 too
            raise self._damaged(f"demo_{number}", error) from None

    def demo(self, number: int) -> Demonstration:
        """A demonstration, read whole: 0.2 ms a frame.

        Raises:
            DemonstrationError: it is damaged; names the place.
        """
        group, episode = self._groups[number], self.episode(number)
        try:
            read = arrays(group)
            found = Demonstration(
                episode=episode,
                policy=str(group.attrs["policy"]),
                success=bool(group.attrs["success"]),
                fingerprint=str(group.attrs["fingerprint"]),
                tokens=read["tokens"][:],
                labels=read["labels"][:],
                images=None if self.states_only and "obs/head" not in read else read["obs/head"][:],
                proprio=read["obs/proprio"][:],
                hashes=read["states_hash"][:],
                points=read["points"][:] if "points" in read else None,
                grips=read["grips"][:] if "grips" in read else None,
                states=read["states"][:] if "states" in read else None,
                naming=_naming(group["naming"], read) if "naming" in group else None,
                wrist=read["obs/wrist"][:] if "wrist" in self.cameras else None,
                look=str(group.attrs.get("look", "")),
            )
        except (KeyError, OSError, RuntimeError, ValueError, TypeError, AttributeError) as error:
            raise self._damaged(f"demo_{number}", error) from None
        try:
            check(found, self.header, int(self.lengths[number]))
        except ValueError as error:
            raise self._damaged(f"demo_{number}", error) from None
        return found

    def check_images(self, *, consecutive: bool) -> None:
        """Raise a DemonstrationError unless there are images; of all steps if `consecutive`."""
        if self.states_only:
            raise DemonstrationError(
                f"{self.path}: has states and no images; draw them with `rtbench looks`."
            )
        if consecutive and self.scattered:
            raise DemonstrationError(
                f"{self.path}: has single frames, and all are needed in a row; draw it without --frames."
            )

    def copy(self, number: int, group: h5py.Group, name: str) -> None:
        """Put a demonstration into a group of another file, as it is."""
        try:
            arrays(self._groups[number])
        except ValueError as error:
            raise self._damaged(f"demo_{number}", error) from None
        group.file.copy(self._groups[number], group, name)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _damaged(self, what: str, error: Exception) -> DemonstrationError:
        reason = str(error.args[0] if error.args else error).rstrip(".")
        return BrokenFileError(
            f"{self.path}: {what} is damaged: {reason}. Record the file again with `rtbench demos`."
        )


def check_alike(path: Path, found: Header, wanted: Header) -> None:
    """Raise a DemonstrationError unless two files have one action convention and one image size."""
    for what, theirs, ours in (
        ("convention", found.convention, wanted.convention),
        ("image size", _times(found.size), _times(wanted.size)),
    ):
        if theirs != ours:
            raise DemonstrationError(
                f"{path}: {what} {theirs}, the others have {ours}; leave it out or record it anew."
            )


def check_cameras(file: Demonstrations, wanted: Demonstrations) -> None:
    """Raise a DemonstrationError unless two files have images of the same cameras."""
    if file.cameras != wanted.cameras:
        theirs, ours = (" and ".join(found.cameras) for found in (file, wanted))
        raise DemonstrationError(
            f"{file.path}: has images of {theirs}, {wanted.path} of {ours}; export them apart."
        )


def _times(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def check(demo: Demonstration, header: Header, steps: int) -> None:
    """Raise a ValueError unless a demonstration agrees with the header and its number of steps."""
    if not steps:
        raise ValueError("no steps")
    for name, shape, kind in (
        ("tokens", (steps, SIZE), np.uint8),
        ("labels", (steps, SIZE), np.uint8),
        ("images", (steps, *header.size, 3), np.uint8),
        ("wrist", (steps, *header.size, 3), np.uint8),
        ("proprio", (steps, PROPRIO), np.float32),
        ("hashes", (steps,), HASH_TYPE),
        ("points", (steps, POINTS, 2), np.float32),
        ("grips", (steps, GRIP), np.float32),
    ):
        array = getattr(demo, name)
        if array is None:
            continue
        if array.shape != shape or array.dtype != kind:
            wanted = f"{np.dtype(kind).name}{list(shape)}"
            raise ValueError(f"{name} is {array.dtype.name}{list(array.shape)}, expected {wanted}")
    if demo.naming is not None and (reason := problem(demo.naming, steps)):
        raise ValueError(reason)
    if demo.states is not None and (len(demo.states) != steps or not np.isfinite(demo.states).all()):
        raise ValueError(f"states are {demo.states.dtype.name}{list(demo.states.shape)}, or not finite")
    limit = convention(header.convention).tokens_per_dimension
    for name, tokens in (("tokens", demo.tokens), ("labels", demo.labels)):
        if (tokens >= limit).any():
            step, place = np.argwhere(tokens >= limit)[0]
            reason = (
                f"{tokens[step, place]} at step {step}, position {place}; allowed 0 to {limit[place] - 1}"
            )
            raise ValueError(f"{name} are not of convention {header.convention!r}: {reason}")
    if not np.isfinite(demo.proprio).all():
        raise ValueError("proprio is not finite")


def _naming(group: h5py.Group, read: Mapping[str, h5py.Dataset]) -> Naming:
    vocabulary = tuple(Name(*map(str, entry)) for entry in json.loads(group.attrs["vocabulary"]))
    return Naming(
        vocabulary=vocabulary,
        counts=read["naming/counts"][:].astype(np.int64),
        names=read["naming/names"][:].astype(np.int64),
        places=read["naming/places"][:],
        shares=read["naming/shares"][:],
    )


def _unreadable(path: Path, error: OSError) -> str:
    """The reason why a file cannot be opened, and a remedy."""
    if not path.exists():
        return "no such file; `rtbench demos` makes one."
    if "signature" in str(error):
        return "no HDF5 file; give one that `rtbench demos` has written."
    if error.errno:
        return f"cannot be read: {os.strerror(error.errno)}."
    what = "cut off" if "truncated" in str(error) else "damaged or cut off"
    return f"{what}; copy it again, or record it again with `rtbench demos`."

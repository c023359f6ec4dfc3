"""Writes demonstrations; `rtbench.data.demonstration` has the layout of the file."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np

from rtbench.core.action import MODE, Convention, convention
from rtbench.core.atomic_write import atomic_write
from rtbench.data.demonstration import (
    FORMAT,
    KEY_TYPE,
    SCHEMA,
    Demonstration,
    DemonstrationError,
    Demonstrations,
    Header,
    check,
    check_alike,
)
from rtbench.data.hdf5_errors import writing
from rtbench.data.naming import Naming

_STRIP = 4
"""Rows of a chunk, which has these rows of all frames: where nothing moves they repeat within deflate's
window of 32 KB. A frame of 61.4 KB takes 10.9 KB, against 21.6 KB in a chunk of its own, and is read in two
thirds of the time."""
_GZIP = 4
"""gzip 9 saves 6 % more, and takes twice the time."""
_PACKED = {"shuffle": True, "compression": "gzip", "compression_opts": _GZIP}
"""Options of arrays whose numbers change little from step to step."""
_GYM = 2
"""robomimic's number for environments of Gymnasium."""


class Writer:
    """Writes a file of demonstrations, whole or not at all; use it in a `with` statement."""

    def __init__(self, path: str | Path, header: Header) -> None:
        """Begin a file beside `path`, which it replaces at the end of the `with` statement.

        Raises:
            DemonstrationError: the folder cannot be written.
        """
        self.path, self.header = Path(path), header
        self._convention = convention(header.convention)
        self._count = self._frames = 0
        self._failed: set[str] = set()
        self._open = ExitStack()
        with writing(self.path, DemonstrationError):
            beside = self._open.enter_context(atomic_write(self.path))
            self._file = self._open.enter_context(h5py.File(beside, "w"))
        settings = json.dumps(header.settings, sort_keys=True, allow_nan=False)
        head = {"format": FORMAT, "schema": SCHEMA, "convention": header.convention, "settings": settings}
        self._file.attrs.update({**head, "size": header.size})
        self._data = self._file.create_group("data")
        arguments = {"env_name": "rtbench", "type": _GYM, "env_kwargs": dict(header.settings)}
        self._data.attrs["env_args"] = json.dumps(arguments, sort_keys=True)

    def add(self, demo: Demonstration) -> None:
        """Append a demonstration.

        Raises:
            DemonstrationError: its arrays do not fit each other or the file, or the disk is full.
        """
        try:
            check(demo, self.header, len(demo))
        except ValueError as error:
            raise DemonstrationError(f"{self.path}: episode {demo.episode.key}: {error}") from None
        name = self._next(len(demo))
        with writing(self.path, DemonstrationError):
            _write(self._data.create_group(name), demo, self._convention)

    def copy(self, other: Demonstrations, number: int) -> None:
        """Append a demonstration of another file, still compressed.

        Raises:
            DemonstrationError: its action convention or image size is another, or the disk is full.
        """
        check_alike(other.path, other.header, self.header)
        name = self._next(int(other.lengths[number]))
        with writing(self.path, DemonstrationError):
            other.copy(number, self._data, name)

    def fail(self, key: str) -> None:
        """Record the key of an episode that failed and is not kept."""
        self._failed.add(key)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._open.__exit__(kind, error, trace)
            return
        with writing(self.path, DemonstrationError), self._open:
            self._finish()

    def _finish(self) -> None:
        self._data.attrs["total"] = self._frames
        self._file.create_dataset("failed", data=np.array(sorted(self._failed), dtype=KEY_TYPE))

    def _next(self, steps: int) -> str:
        name = f"demo_{self._count}"
        self._count += 1
        self._frames += steps
        return name


def _write(group: Any, demo: Demonstration, spec: Convention) -> None:
    """Fill a group with a demonstration."""
    episode = demo.episode
    group.attrs.update(
        {
            "num_samples": len(demo),
            "key": episode.key,
            "task": episode.task,
            "skill": episode.skill,
            "instruction": episode.instruction,
            "seed": episode.seed,
            "success": demo.success,
            "split": episode.split,
            "policy": demo.policy,
            "fingerprint": demo.fingerprint,
            "episode": json.dumps(asdict(episode), ensure_ascii=False),
            **({"look": demo.look} if demo.look else {}),
        }
    )
    actions = np.stack([spec.decode(row) for row in demo.tokens])
    last = np.arange(len(demo)) == len(demo) - 1
    for name, values in {
        "actions": actions.astype(np.float32),
        "tokens": demo.tokens,
        "labels": demo.labels,
        "modes": actions[:, MODE].astype(np.uint8),
        "rewards": (last & demo.success).astype(np.float32),
        "dones": last.astype(np.uint8),
        "states_hash": demo.hashes,
        **({} if demo.points is None else {"points": demo.points}),
        **({} if demo.grips is None else {"grips": demo.grips}),
        "obs/proprio": demo.proprio,
    }.items():
        group.create_dataset(name, data=values)
    if demo.states is not None:
        group.create_dataset("states", data=demo.states, **_PACKED)
    if demo.naming is not None:
        _write_naming(group.create_group("naming"), demo.naming)
    for name, images in (("obs/head", demo.images), ("obs/wrist", demo.wrist)):
        if images is None:
            continue
        steps, height, width, channels = images.shape
        group.create_dataset(
            name,
            data=images,
            chunks=(steps, min(_STRIP, height), width, channels),
            compression="gzip",
            compression_opts=_GZIP,
        )


def _write_naming(group: Any, naming: Naming) -> None:
    group.attrs["vocabulary"] = json.dumps(naming.vocabulary, ensure_ascii=False)
    group.create_dataset("counts", data=naming.counts.astype(np.uint8))
    group.create_dataset("names", data=naming.names.astype(np.uint16))
    group.create_dataset("places", data=naming.places)
    group.create_dataset("shares", data=naming.shares)

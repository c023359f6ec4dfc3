"""Demonstrations as a dataset of LeRobot, version 3.0: Parquet, MP4 and their metadata in one folder.

The layout is that of `lerobot.datasets` under ``CODEBASE_VERSION = "v3.0"`` (huggingface/lerobot, commit
000c716, `dataset_metadata.py`, `dataset_writer.py`): a file has many episodes, and ``meta/episodes`` their
places. ``action`` is the oracle's action, which a policy should learn; ``acted`` is the executed action with
its noise. Both are numbers of an action mapping: of rt1-11d in SI units, in the order of
`rtbench.core.action.DIMENSIONS`, where roll, pitch and yaw are a rotation vector, and the gripper is -1 open,
+1 closed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rtbench.core.atomic_write import write_text
from rtbench.core.errors import UnknownNameError
from rtbench.data import exported
from rtbench.data.demonstration import (
    Demonstration,
    DemonstrationError,
    Demonstrations,
)
from rtbench.data.lerobot_card import ActionColumns, action_columns, card, modality
from rtbench.data.lerobot_stats import Collected, plain
from rtbench.data.lerobot_stats import columns as stats_columns

VERSION = "v3.0"
FPS = 3
FEATURE = "observation.images."
CAMERA = f"{FEATURE}head"
FRAMES = 20_000
"""Frames of a file, so that video files stay below their 200 MB."""
_PLACE = "chunk-{chunk_index:03d}/file-{file_index:03d}"
_DATA, _VIDEO = f"data/{_PLACE}.parquet", f"videos/{{video_key}}/{_PLACE}.mp4"
_EPISODES, _TASKS = f"meta/episodes/{_PLACE}.parquet", "meta/tasks.parquet"
_CHUNK = 1000
"""Files of a folder."""
_STATE = [f"joint_{k}" for k in range(1, 8)]
_STATE += ["x", "y", "z", "qw", "qx", "qy", "qz", "opening"]
_H264 = ("-g", "2", "-crf", "18", "-bf", "0")
"""A key frame in every two, as LeRobot has them: single frames are read at random."""
_Features = dict[str, tuple[str, list[str] | None]]
"""Feature -> its type, and the names of its numbers."""


def export_lerobot(
    sources: Sequence[Path], output: Path, *, version: str = VERSION, action: str = "rt1-11d"
) -> int:
    """Write a dataset, and return the number of its episodes.

    Args:
        sources: Files of demonstrations of one convention and image size.
        output: The folder, which must not exist. It appears whole or not at all.
        version: v3.0, or v2.1 for readers that are pinned to it, such as openpi's.
        action: What the numbers of the actions mean: a mapping without joints, such as rtbench-7d. Actions of
            the base are no motion where the mapping cannot drive.

    Raises:
        UnknownNameError: no such version or mapping.
        DemonstrationError: a file that cannot be read or does not go with the others, that has no images or
            single ones, images whose height or width is odd, or a folder that exists or cannot be written.
    """
    from rtbench.data.lerobot_v21 import DatasetV21

    kinds = {VERSION: Dataset, DatasetV21.version: DatasetV21}
    if version not in kinds:
        raise UnknownNameError("version", version, kinds, where="LeRobot dataset")
    made = kinds[version]

    def begun(root: Path, alike: Demonstrations) -> Dataset:
        height, width = alike.header.size
        if height % 2 or width % 2:
            raise DemonstrationError(
                f"{sources[0]}: images are {height}x{width}; a video needs even numbers."
            )
        return made(root, alike, action_columns(action))

    dataset = exported.write(sources, output, begun)
    return len(dataset.episodes)


class Dataset:
    """A dataset that is being written."""

    version = VERSION

    def __init__(self, root: Path, alike: Demonstrations, action: ActionColumns) -> None:
        self.episodes: list[dict[str, Any]] = []
        self._root, self._size, self._convention = root, alike.header.size, alike.convention
        self._action = action
        self._features = _features(action.names)
        self._cameras = tuple(f"{FEATURE}{camera}" for camera in alike.cameras)
        self._tasks: dict[str, int] = {}
        self._robots: set[str] = set()
        self._collected = Collected()
        self._frames = self._begin = 0
        self._files = -1
        self._films: list[Any] = []
        self._table: Any = None

    def add(self, demo: Demonstration) -> None:
        """Append an episode."""
        if not self._films or self._is_full(len(demo)):
            self._next_file()
        columns = self._columns(demo)
        self._table.write_table(pa.table(columns, schema=_schema(self._features)))
        for film, camera in zip(self._films, self._cameras, strict=True):
            for image in _pixels(demo, camera):
                film.append_data(image)
        self._add_metadata(demo, columns)
        self._frames += len(demo)

    def finish(self) -> None:
        """Write the metadata of all episodes."""
        self.close()
        self._write_episodes()
        self._json("info", self._info())
        self._json("modality", modality(self._action, self._cameras))
        write_text(self._root / "README.md", card(self._info(), self._action, self._cameras))

    def _is_full(self, more: int) -> bool:
        """Whether an episode of so many frames begins a file."""
        return self._frames - self._begin + more > FRAMES

    def _write_episodes(self) -> None:
        """Write places and statistics of the episodes, and the tasks."""
        path = self._root / _EPISODES.format(chunk_index=0, file_index=0)
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(self.episodes), path, compression="snappy")
        tasks = pd.DataFrame(
            {"task_index": list(self._tasks.values())}, index=pd.Index(self._tasks, name="task")
        )
        tasks.to_parquet(self._root / _TASKS)
        self._write_stats()

    def _write_stats(self) -> None:
        self._json("stats", {name: plain(found) for name, found in self._collected.whole().items()})

    def close(self) -> None:
        """Close the files of the last episodes."""
        for file in (self._table, *self._films):
            if file is not None:
                file.close()
        self._table, self._films = None, []

    def _next_file(self) -> None:
        import imageio.v2 as imageio

        self.close()
        self._files += 1
        self._begin = self._frames
        data, videos = self._paths()
        for path in (data, *videos):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._table = pq.ParquetWriter(data, _schema(self._features), compression="snappy")
        self._films = [
            imageio.get_writer(
                video, fps=FPS, codec="libx264", macro_block_size=2, quality=None, output_params=list(_H264)
            )
            for video in videos
        ]

    def _paths(self) -> tuple[Path, list[Path]]:
        """Data of the next file, and its videos, one a camera."""
        videos = [_VIDEO.format(video_key=camera, **self._place) for camera in self._cameras]
        return self._root / _DATA.format(**self._place), [self._root / video for video in videos]

    @property
    def _place(self) -> dict[str, int]:
        return {"chunk_index": self._files // _CHUNK, "file_index": self._files % _CHUNK}

    def _columns(self, demo: Demonstration) -> dict[str, pa.Array]:
        steps = np.arange(len(demo))
        self._robots.add(demo.episode.robot)
        task = self._tasks.setdefault(demo.episode.instruction, len(self._tasks))
        decode, numbers = self._convention.decode, self._action.numbers
        labels, acted = (
            np.stack([numbers(decode(row), seen) for row, seen in zip(rows, demo.proprio, strict=True)])
            for rows in (demo.labels, demo.tokens)
        )
        return {
            "observation.state": _vectors(demo.proprio),
            "action": _vectors(labels),
            "acted": _vectors(acted),
            "next.reward": pa.array((steps == len(demo) - 1) & demo.success).cast(pa.float32()),
            "next.done": pa.array(steps == len(demo) - 1),
            "timestamp": pa.array((steps / FPS).astype(np.float32)),
            "frame_index": pa.array(steps),
            "episode_index": pa.array(np.full(len(demo), len(self.episodes))),
            "index": pa.array(self._frames + steps),
            "task_index": pa.array(np.full(len(demo), task)),
        }

    def _add_metadata(self, demo: Demonstration, columns: Mapping[str, pa.Array]) -> None:
        """Append an episode's place and its statistics."""
        episode, begin = demo.episode, (self._frames - self._begin) / FPS
        stats = {name: self._collected.add_rows(name, _matrix(column)) for name, column in columns.items()}
        films: dict[str, Any] = {}
        for camera in self._cameras:
            stats[camera] = self._collected.add_images(camera, _pixels(demo, camera))
            films |= {f"videos/{camera}/{name}": value for name, value in self._place.items()}
            films[f"videos/{camera}/from_timestamp"] = begin
            films[f"videos/{camera}/to_timestamp"] = begin + len(demo) / FPS
        self.episodes.append(
            {
                "episode_index": len(self.episodes),
                "tasks": [episode.instruction],
                "length": len(demo),
                "key": episode.key,
                "skill": episode.skill,
                "seed": episode.seed,
                "success": demo.success,
                "policy": demo.policy,
                **{f"data/{name}": value for name, value in self._place.items()},
                "dataset_from_index": self._frames,
                "dataset_to_index": self._frames + len(demo),
                **films,
                "meta/episodes/chunk_index": 0,
                "meta/episodes/file_index": 0,
                **stats_columns(list(stats.items())),
            }
        )

    def _info(self) -> dict[str, Any]:
        height, width = self._size
        image: dict[str, Any] = {
            "dtype": "video",
            "shape": [height, width, 3],
            "names": ["height", "width", "channels"],
        }
        image["info"] = {
            "video.height": height,
            "video.width": width,
            "video.codec": "h264",
            "video.pix_fmt": "yuv420p",
            "video.is_depth_map": False,
            "video.fps": FPS,
            "video.channels": 3,
            "has_audio": False,
        }
        return {
            "codebase_version": self.version,
            "robot_type": "+".join(sorted(self._robots)),
            "total_episodes": len(self.episodes),
            "total_frames": self._frames,
            "total_tasks": len(self._tasks),
            "chunks_size": _CHUNK,
            "data_files_size_in_mb": 100,
            "video_files_size_in_mb": 200,
            "fps": FPS,
            "splits": {"train": f"0:{len(self.episodes)}"},
            "data_path": _DATA,
            "video_path": _VIDEO,
            "features": dict.fromkeys(self._cameras, image)
            | {name: _feature(*what) for name, what in self._features.items()},
        }

    def _json(self, name: str, data: Any) -> None:
        text = json.dumps(data, allow_nan=False, ensure_ascii=False, indent=4)
        write_text(self._root / "meta" / f"{name}.json", text + "\n")


def _pixels(demo: Demonstration, camera: str) -> NDArray[np.uint8]:
    """The images of a camera, which is called by its feature."""
    if camera == CAMERA:
        return demo.pixels
    if demo.wrist is None:
        raise ValueError(f"demonstration of episode {demo.episode.key} has no images of {camera}")
    return demo.wrist


def _feature(kind: str, names: list[str] | None) -> dict[str, Any]:
    return {"dtype": kind, "shape": [len(names) if names else 1], "names": names}


def _features(action: list[str]) -> _Features:
    return {
        "observation.state": ("float32", _STATE),
        "action": ("float32", action),
        "acted": ("float32", action),
        "next.reward": ("float32", None),
        "next.done": ("bool", None),
        "timestamp": ("float32", None),
        **dict.fromkeys(("frame_index", "episode_index", "index", "task_index"), ("int64", None)),
    }


def _schema(features: _Features) -> pa.Schema:
    types = {"bool": pa.bool_(), "float32": pa.float32(), "int64": pa.int64()}
    return pa.schema(
        {
            name: pa.list_(types[kind], len(names)) if names else types[kind]
            for name, (kind, names) in features.items()
        }
    )


def _vectors(rows: NDArray[Any]) -> pa.Array:
    """A matrix as one fixed-size list a row."""
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.astype(np.float32).ravel()), rows.shape[1])


def _matrix(column: pa.Array) -> NDArray[np.float64]:
    """A column as float64[steps, width]."""
    flat = column.flatten() if pa.types.is_fixed_size_list(column.type) else column
    return np.asarray(flat.to_numpy(zero_copy_only=False), dtype=np.float64).reshape(len(column), -1)

"""Demonstrations as a dataset of LeRobot, version 3.0: Parquet, MP4 and their metadata in one folder.

The layout is that of `lerobot.datasets` under ``CODEBASE_VERSION = "v3.0"`` (huggingface/lerobot, commit
000c716, `dataset_metadata.py`, `dataset_writer.py`): a file has many episodes, and ``meta/episodes`` their
places. ``action`` is the oracle's action, which a policy should learn; ``acted`` is the executed action with
its noise. Both are in SI units, in the order of `rtbench.core.action.DIMENSIONS`: roll, pitch and yaw are a
rotation vector, and the gripper is -1 open, +1 closed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rtbench.core.action import DIMENSIONS
from rtbench.core.atomic_write import write_text
from rtbench.data.demonstration import Demonstration, DemonstrationError, Demonstrations, check_alike

VERSION = "v3.0"
FPS = 3
CAMERA = "observation.images.head"
FRAMES = 20_000
"""Frames of a file, so that video files stay below their 200 MB."""
_PLACE = "chunk-{chunk_index:03d}/file-{file_index:03d}"
_DATA, _VIDEO = f"data/{_PLACE}.parquet", f"videos/{CAMERA}/{_PLACE}.mp4"
_EPISODES, _TASKS = f"meta/episodes/{_PLACE}.parquet", "meta/tasks.parquet"
_CHUNK = 1000
"""Files of a folder."""
_STATE = [f"joint_{k}" for k in range(1, 8)]
_STATE += ["x", "y", "z", "qw", "qx", "qy", "qz", "opening"]
_H264 = ("-g", "2", "-crf", "18", "-bf", "0")
"""A key frame in every two, as LeRobot has them: single frames are read at random."""
_FEATURES: dict[str, tuple[str, list[str] | None]] = {
    "observation.state": ("float32", _STATE),
    "action": ("float32", list(DIMENSIONS)),
    "acted": ("float32", list(DIMENSIONS)),
    "next.reward": ("float32", None),
    "next.done": ("bool", None),
    "timestamp": ("float32", None),
    **dict.fromkeys(("frame_index", "episode_index", "index", "task_index"), ("int64", None)),
}
_Stats = dict[str, NDArray[np.float64]]


def export_lerobot(sources: Sequence[Path], output: Path) -> int:
    """Write a dataset, and return the number of its episodes.

    Args:
        sources: Files of demonstrations of one convention and image size.
        output: The folder, which must not exist. It appears whole or not at all.

    Raises:
        DemonstrationError: a file that cannot be read or does not go with the others, that has no images or
            single ones, images whose height or width is odd, or a folder that exists or cannot be written.
    """
    if output.exists():
        raise DemonstrationError(f"{output}: is there already; give a folder that is not.")
    beside = output.with_name(f".{output.name}.{os.getpid()}")
    with ExitStack() as stack:
        files = [stack.enter_context(Demonstrations(path, trusted=False)) for path in sources]
        for file in files:
            check_alike(file.path, file.header, files[0].header)
            file.check_images(consecutive=True)
        height, width = files[0].header.size
        if height % 2 or width % 2:
            raise DemonstrationError(
                f"{sources[0]}: images are {height}x{width}; a video needs even numbers."
            )
        if not sum(map(len, files)):
            raise DemonstrationError(f"{sources[0]}: no demonstrations, so there is nothing to export.")
        dataset = _Dataset(beside, files[0])
        try:
            for file in files:
                for number in range(len(file)):
                    dataset.add(file.demo(number))
            dataset.finish()
            beside.replace(output)
        except OSError as error:
            raise DemonstrationError(f"{output}: cannot be written: {error.strerror or error}.") from None
        finally:
            dataset.close()
            shutil.rmtree(beside, ignore_errors=True)
    return len(dataset.episodes)


class _Dataset:
    """A dataset that is being written."""

    def __init__(self, root: Path, alike: Demonstrations) -> None:
        self.episodes: list[dict[str, Any]] = []
        self._root, self._size, self._convention = root, alike.header.size, alike.convention
        self._tasks: dict[str, int] = {}
        self._robots: set[str] = set()
        self._stats: list[dict[str, _Stats]] = []
        self._frames = self._begin = 0
        self._files = -1
        self._film: Any = None
        self._table: Any = None

    def add(self, demo: Demonstration) -> None:
        """Append an episode."""
        if self._film is None or self._frames - self._begin + len(demo) > FRAMES:
            self._next_file()
        columns = self._columns(demo)
        self._table.write_table(pa.table(columns, schema=_schema()))
        for image in demo.pixels:
            self._film.append_data(image)
        self._add_metadata(demo, columns)
        self._frames += len(demo)

    def finish(self) -> None:
        """Write the metadata of all episodes."""
        self.close()
        path = self._root / _EPISODES.format(chunk_index=0, file_index=0)
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(self.episodes), path, compression="snappy")
        tasks = pd.DataFrame(
            {"task_index": list(self._tasks.values())}, index=pd.Index(self._tasks, name="task")
        )
        tasks.to_parquet(self._root / _TASKS)
        self._json(
            "stats", {name: _plain(_pooled([s[name] for s in self._stats])) for name in self._stats[0]}
        )
        self._json("info", self._info())

    def close(self) -> None:
        """Close the files of the last episodes."""
        for file in (self._table, self._film):
            if file is not None:
                file.close()
        self._table = self._film = None

    def _next_file(self) -> None:
        import imageio.v2 as imageio

        self.close()
        self._files += 1
        self._begin = self._frames
        data, video = self._root / _DATA.format(**self._place), self._root / _VIDEO.format(**self._place)
        for path in (data, video):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._table = pq.ParquetWriter(data, _schema(), compression="snappy")
        self._film = imageio.get_writer(
            video, fps=FPS, codec="libx264", macro_block_size=2, quality=None, output_params=list(_H264)
        )

    @property
    def _place(self) -> dict[str, int]:
        return {"chunk_index": self._files // _CHUNK, "file_index": self._files % _CHUNK}

    def _columns(self, demo: Demonstration) -> dict[str, pa.Array]:
        steps = np.arange(len(demo))
        self._robots.add(demo.episode.robot)
        task = self._tasks.setdefault(demo.episode.instruction, len(self._tasks))
        decode = self._convention.decode
        return {
            "observation.state": _vectors(demo.proprio),
            "action": _vectors(np.stack([decode(row) for row in demo.labels])),
            "acted": _vectors(np.stack([decode(row) for row in demo.tokens])),
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
        stats = {name: _stats(_matrix(column)) for name, column in columns.items()}
        stats[CAMERA] = _pixel_stats(demo.pixels)
        self._stats.append(stats)
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
                **{f"videos/{CAMERA}/{name}": value for name, value in self._place.items()},
                f"videos/{CAMERA}/from_timestamp": begin,
                f"videos/{CAMERA}/to_timestamp": begin + len(demo) / FPS,
                "meta/episodes/chunk_index": 0,
                "meta/episodes/file_index": 0,
                **{
                    f"stats/{name}/{kind}": value
                    for name, found in stats.items()
                    for kind, value in _plain(found).items()
                },
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
            "codebase_version": VERSION,
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
            "video_path": _VIDEO.replace(CAMERA, "{video_key}"),
            "features": {CAMERA: image} | {name: _feature(*what) for name, what in _FEATURES.items()},
        }

    def _json(self, name: str, data: Any) -> None:
        text = json.dumps(data, allow_nan=False, ensure_ascii=False, indent=4)
        write_text(self._root / "meta" / f"{name}.json", text + "\n")


def _feature(kind: str, names: list[str] | None) -> dict[str, Any]:
    return {"dtype": kind, "shape": [len(names) if names else 1], "names": names}


def _schema() -> pa.Schema:
    types = {"bool": pa.bool_(), "float32": pa.float32(), "int64": pa.int64()}
    return pa.schema(
        {
            name: pa.list_(types[kind], len(names)) if names else types[kind]
            for name, (kind, names) in _FEATURES.items()
        }
    )


def _vectors(rows: NDArray[Any]) -> pa.Array:
    """A matrix as one fixed-size list a row."""
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.astype(np.float32).ravel()), rows.shape[1])


def _matrix(column: pa.Array) -> NDArray[np.float64]:
    """A column as float64[steps, width]."""
    flat = column.flatten() if pa.types.is_fixed_size_list(column.type) else column
    return np.asarray(flat.to_numpy(zero_copy_only=False), dtype=np.float64).reshape(len(column), -1)


def _stats(rows: NDArray[Any]) -> _Stats:
    """Statistics of each column of float[n, width]; the standard deviation is the population's."""
    return {
        "min": rows.min(0),
        "max": rows.max(0),
        "mean": rows.mean(0),
        "std": rows.std(0),
        "count": np.array([len(rows)]),
    }


def _pixel_stats(images: NDArray[np.uint8]) -> _Stats:
    """Statistics of each channel of uint8[n, h, w, 3], scaled to 0 to 1: float64[3, 1, 1]; counts images."""
    # From the counts of the 256 values, which is twenty times as fast as from the pixels.
    values = np.arange(256) / 255
    counts = np.stack([np.bincount(images[..., k].ravel(), minlength=256) for k in range(3)])
    shares = counts / counts.sum(1, keepdims=True)
    mean = shares @ values
    found = {
        "min": np.array([values[row > 0].min() for row in counts]),
        "max": np.array([values[row > 0].max() for row in counts]),
        "mean": mean,
        "std": np.sqrt((shares * (values - mean[:, None]) ** 2).sum(1)),
    }
    return {**{name: row.reshape(3, 1, 1) for name, row in found.items()}, "count": np.array([len(images)])}


def _pooled(parts: Sequence[_Stats]) -> _Stats:
    """Statistics of the whole from those of its parts, with the variances within and between them."""
    counts = np.array([part["count"][0] for part in parts], dtype=np.float64)
    weights = counts / counts.sum()
    mean = _weighted(weights, [part["mean"] for part in parts])
    variance = _weighted(weights, [part["std"] ** 2 + (part["mean"] - mean) ** 2 for part in parts])
    return {
        "min": np.min([part["min"] for part in parts], 0),
        "max": np.max([part["max"] for part in parts], 0),
        "mean": mean,
        "std": np.sqrt(variance),
        "count": np.array([int(counts.sum())]),
    }


def _weighted(weights: NDArray[np.float64], values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.tensordot(weights, np.stack(values), 1)


def _plain(stats: _Stats) -> dict[str, Any]:
    return {name: values.tolist() for name, values in stats.items()}

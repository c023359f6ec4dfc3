"""Demonstrations as a dataset of LeRobot, version 2.1: a file an episode, and metadata in lines of JSON.

openpi's pinned reader and Isaac-GR00T read this version; `rtbench.data.lerobot` writes the newer one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rtbench.core.atomic_write import write_text
from rtbench.data.lerobot import Dataset

_EPISODES_OF_A_FOLDER = 1000
_DATA = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
_VIDEO = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"


class DatasetV21(Dataset):
    """A dataset of version 2.1 that is being written."""

    version = "v2.1"

    def _is_full(self, more: int) -> bool:  # noqa: ARG002 - an episode is a file
        return True

    def _paths(self) -> tuple[Path, list[Path]]:
        number = self._files
        place = {"episode_chunk": number // _EPISODES_OF_A_FOLDER, "episode_index": number}
        videos = [self._root / _VIDEO.format(video_key=camera, **place) for camera in self._cameras]
        return self._root / _DATA.format(**place), videos

    def _write_episodes(self) -> None:
        rows, stats = [], []
        for episode in self.episodes:
            told = {name: episode[name] for name in ("episode_index", "tasks", "length")}
            rows.append(
                told | {name: episode[name] for name in ("key", "skill", "seed", "success", "policy")}
            )
            found: dict[str, dict[str, Any]] = {}
            for name, value in episode.items():
                if name.startswith("stats/"):
                    _, feature, kind = name.split("/")
                    found.setdefault(feature, {})[kind] = value
            stats.append({"episode_index": episode["episode_index"], "stats": found})
        tasks = [{"task_index": index, "task": task} for task, index in self._tasks.items()]
        for file, lines in (("episodes", rows), ("episodes_stats", stats), ("tasks", tasks)):
            text = "".join(json.dumps(line, allow_nan=False, ensure_ascii=False) + "\n" for line in lines)
            path = self._root / "meta" / f"{file}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
        super()._write_stats()

    def _info(self) -> dict[str, Any]:
        chunks = -(-len(self.episodes) // _EPISODES_OF_A_FOLDER)
        found = super()._info() | {
            "total_videos": len(self.episodes) * len(self._cameras), "total_chunks": chunks,
            "chunks_size": _EPISODES_OF_A_FOLDER,
            "data_path": _DATA, "video_path": _VIDEO,
        }  # fmt: skip
        return {name: value for name, value in found.items() if not name.endswith("_size_in_mb")}

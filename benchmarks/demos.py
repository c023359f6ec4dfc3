"""How fast demonstrations are recorded, and how their pictures are best compressed.

    .venv/bin/python benchmarks/demos.py [--episodes 55] [--workers 2] [--json FILE]

The oracle plays the first training episodes, disturbed in 30 % of its steps. Then the same pictures are
written and read in each layout, one after the other in every round, so that all meet the same load.
`read one` is what a single frame costs: a chunk with all frames of some rows must be unpacked whole.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from measure import Samples, report
from numpy.typing import NDArray

from rtbench.data.collect import Recording, collect
from rtbench.data.demonstration import Demonstrations

Images = list[NDArray[np.uint8]]
Chunk = Callable[[tuple[int, ...]], tuple[int, ...]]
ROUNDS = 5


def whole_frame(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1, *shape[1:])


def strip(rows: int) -> Chunk:
    return lambda shape: (shape[0], min(rows, shape[1]), *shape[2:])


LAYOUTS: dict[str, tuple[Chunk, dict[str, Any]]] = {
    "frame, raw": (whole_frame, {}),
    "frame, lzf": (whole_frame, {"compression": "lzf"}),
    "frame, gzip 4": (whole_frame, {"compression": "gzip", "compression_opts": 4}),
    "4 rows of all, lzf": (strip(4), {"compression": "lzf"}),
    "4 rows of all, gzip 1": (strip(4), {"compression": "gzip", "compression_opts": 1}),
    "4 rows of all, gzip 4": (strip(4), {"compression": "gzip", "compression_opts": 4}),
    "4 rows of all, gzip 9": (strip(4), {"compression": "gzip", "compression_opts": 9}),
    "16 rows of all, gzip 4": (strip(16), {"compression": "gzip", "compression_opts": 4}),
}
"""Chunks and filters by name; the second gzip 4 is what `rtbench.data.hdf5_writer` uses."""


def record(count: int, workers: int, path: Path) -> tuple[float, Images]:
    """Record demonstrations; gives seconds and their pictures."""
    start = time.perf_counter()
    collect(Recording(noise=0.3), count, path, workers=workers)
    seconds = time.perf_counter() - start
    with Demonstrations(path) as found:
        return seconds, [found.demo(k).images for k in range(len(found))]


def pack(path: Path, images: Images, layout: str) -> dict[str, float]:
    """Write and read the pictures once; seconds, and bytes."""
    chunk, filters = LAYOUTS[layout]
    start = time.perf_counter()
    with h5py.File(path, "w") as file:
        for k, pictures in enumerate(images):
            file.create_dataset(str(k), data=pictures, chunks=chunk(pictures.shape), **filters)
    written = time.perf_counter()
    with h5py.File(path) as file:
        for k in range(len(images)):
            file[str(k)][:]
    read = time.perf_counter()
    with h5py.File(path) as file:
        for k in range(len(images)):
            file[str(k)][0]
    one = time.perf_counter()
    return {"write": written - start, "read": read - written, "one": one - read, "bytes": path.stat().st_size}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--episodes", type=int, default=55)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "demos.h5"
        seconds, images = record(options.episodes, options.workers, path)
        size, frames = path.stat().st_size / len(images), sum(map(len, images))
        samples = {name: {what: Samples(what) for what in ("write", "read", "one")} for name in LAYOUTS}
        sizes: dict[str, float] = {}
        for _ in range(ROUNDS):
            for name in LAYOUTS:
                found = pack(Path(folder) / "packed.h5", images, name)
                sizes[name] = found["bytes"] / frames / 1e3
                for what, sample in samples[name].items():
                    sample.values.append(found[what] / (len(images) if what == "one" else frames))
    rows = [
        [name, f"{sizes[name]:.1f}", *(f"{1e3 * samples[name][what].median:.2f}" for what in samples[name])]
        for name in LAYOUTS
    ]
    rate = 60 * options.episodes / seconds
    print(f"{rate:.0f} episodes a minute; {size / 1e3:.0f} MB for 1,000 demonstrations")
    title = f"{len(images)} demonstrations, {options.workers} workers"
    data = {
        "episodes": options.episodes,
        "kept": len(images),
        "frames": frames,
        "episodes_a_minute": round(rate, 1),
        "mb_for_1000": round(size / 1e3, 1),
        "kb_a_frame": {name: round(value, 2) for name, value in sizes.items()},
        "ms_a_frame": {
            name: {what: s.summary() for what, s in found.items()} for name, found in samples.items()
        },
    }
    report(title, ["chunks", "KB a frame", "write ms", "read ms", "read one ms"], rows, data)


if __name__ == "__main__":
    main()

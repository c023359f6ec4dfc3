"""Which of several RT-1s sees and decides better? On frames that none of them was trained on, frame by frame.

    rtbench demos -n 200 --seed 99 --noise 0.3 --shift-start --states-only -o held.states.h5
    rtbench looks held.states.h5 --looks 1 --frames 8 --seed 99 -o held.h5
    .venv/bin/python benchmarks/rt1_twins.py held.h5 BASE.safetensors OTHER.safetensors ... [--json FILE]

The cross-entropy of the oracle's tokens, and how often the attention maps of three image tokens are right
about the task's first object, its second one and the hand: their largest value is at most one cell beside.
Differences are to the first weights, with intervals of 95 % by the bootstrap over demonstrations
(`rtbench.stats.clustered`), in pairs.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from measure import report
from numpy.typing import NDArray

from rtbench.policy.rt1.checkpoint import Checkpoint, load
from rtbench.policy.text_encoder.encoder import SentenceEncoder
from rtbench.stats import clustered
from rtbench.train.augment import to_float
from rtbench.train.dataset import Batch, Dataset, Sampler
from rtbench.train.dataset import load as load_data
from rtbench.train.keypoint_loss import KeypointNetwork, Outputs
from rtbench.train.window_sampler import Windows, cut

SEEN = {"first object": 0, "second object": 1, "hand": 3}
"""Keypoints by name; see `Demonstration.points`."""
BATCH = 64
LARGEST_LOSS = 10.0
"""No loss differs by more; shares differ by 1 at most."""
HEADS = ("measure", "demos", "weights", "mean", "difference", "95 % CI")
Table = dict[str, NDArray[np.float64]]


def main() -> None:
    """Compare, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("frames", type=Path)
    parser.add_argument("weights", nargs="+", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as spill:
        data = load_data([options.frames], Path(spill))
        tables = {path.stem: measured(data, load(path)) for path in options.weights}
    base, *_ = tables
    rows, found = [], []
    for measure in tables[base]:
        unit, digits, widest = (1, 3, LARGEST_LOSS) if measure == "loss" else (100, 1, 1.0)
        for name, table in tables.items():
            first, second = tables[base][measure], table[measure]
            there = np.isfinite(first)
            mean, difference, low, high = (
                round(unit * value, digits) for value in compare(first[there], second[there], widest)
            )
            told = ["", ""] if name == base else [f"{difference:+}", f"{low:+} to {high:+}"]
            rows.append([measure, str(int(there.sum())), name, str(mean), *told])
            found.append({"measure": measure, "demonstrations": int(there.sum()), "weights": name,
                          "mean": mean, "difference": difference, "low": low, "high": high})  # fmt: skip
    report("RT-1s on the same frames", HEADS, rows, {"frames": len(data.frames), "rows": found})


def compare(
    first: NDArray[np.float64], second: NDArray[np.float64], widest: float
) -> tuple[float, float, float, float]:
    """Mean of the second of pairs float64[n], its difference to the first, and the ends of its interval."""
    gain = second - first
    mean = float(gain.mean())
    ends = clustered(gain, np.arange(len(gain)), "rt1 twins", within=(-widest, widest)) or (mean, mean)
    return (float(second.mean()), mean, *ends)


@torch.no_grad()
def measured(data: Dataset, checkpoint: Checkpoint) -> Table:
    """Of each demonstration the mean loss and shares found, float64[demonstrations]; NaN where nothing is."""
    network, encoder = checkpoint.network, SentenceEncoder(checkpoint.origin.encoder)
    texts = torch.from_numpy(encoder(data.instructions))
    model, frames = KeypointNetwork(network).eval(), []
    for windows, batch in _batches(data):
        output: Outputs = model(to_float(batch.images), texts[batch.texts])
        loss = torch.nn.functional.cross_entropy(
            output.logits[:, 0].transpose(1, 2), batch.labels[:, 0], reduction="none"
        ).mean(-1)
        columns = [loss, *(_found(output.maps[:, 0, k], batch.points[:, 0, k]) for k in SEEN.values())]
        frames.append(np.column_stack([windows[:, 0], *(column.double().numpy() for column in columns)]))
    numbers, *values = np.concatenate(frames).T
    return {
        name: np.array([_mean(value[numbers == demo]) for demo in range(len(data.episodes))])
        for name, value in zip(("loss", *SEEN), values, strict=True)
    }


def _batches(data: Dataset) -> Iterator[tuple[Windows, Batch]]:
    sampler, demos = Sampler(data, 1), np.arange(len(data.lengths))
    windows = cut(demos, data.lengths, 1, np.zeros_like(demos))
    for start in range(0, len(windows), BATCH):
        yield windows[start : start + BATCH], sampler.batch(windows[start : start + BATCH])


def _found(maps: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """float[B]: 1 where the largest of maps [B, H, W] is a cell at most from points [B, 2]; NaN: no point."""
    height, width = maps.shape[-2:]
    best = maps.flatten(1).argmax(1)
    cell = torch.stack([best % width, best // width], dim=1)
    true = (points * torch.tensor([width, height])).floor()
    right = ((cell - true).abs() <= 1).all(1).double()
    inside = points.isfinite().all(1) & (points >= 0).all(1) & (points < 1).all(1)
    return torch.where(inside, right, torch.nan)


def _mean(values: NDArray[np.float64]) -> float:
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else float("nan")


if __name__ == "__main__":
    main()

"""Record demonstrations of the oracle, and read the file with h5py into a pandas table, a row a step."""

from pathlib import Path

import h5py
import pandas as pd

from rtbench.core.action import DIMENSIONS
from rtbench.data.collect import Recording, collect


def table(path):
    """One row a step: who did what, the eleven numbers of the action in SI units, and the gripper's place."""
    parts = []
    with h5py.File(path) as file:
        for name, demo in file["data"].items():
            steps = pd.DataFrame(demo["actions"][:], columns=list(DIMENSIONS))
            steps[["hand_x", "hand_y", "hand_z"]] = demo["obs/proprio"][:, 7:10]  # [m], base frame
            steps["brightness"] = demo["obs/head"][:].mean(axis=(1, 2, 3))  # images uint8[T, 128, 160, 3]
            told = {key: demo.attrs[key] for key in ("skill", "task", "instruction", "success")}
            parts.append(steps.rename_axis("step").reset_index().assign(demo=name, **told))
    return pd.concat(parts, ignore_index=True)


if __name__ == "__main__":
    output = Path("demonstrations.h5")
    # Also `rtbench demos -n 4 --output demonstrations.h5`. A second call continues the file.
    print(collect(Recording(skills=("pick", "knock_over")), 4, output))
    steps = table(output)
    steps.to_csv("demonstrations.csv", index=False)
    print(steps.groupby(["demo", "instruction"])[["z", "hand_z"]].agg(["min", "max"]).round(3))
    print(f"{len(steps)} steps of {steps['demo'].nunique()} demonstrations in demonstrations.csv")

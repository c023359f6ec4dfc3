"""Evaluate a policy that predicts chunks of actions of 7 numbers, as OpenVLA, Octo, ACT and pi0 do."""

import numpy as np

import rtbench
from rtbench.policy.continuous.mapping import ActionMapping, Chunk


class Chunked:
    """Gives chunks of 8 actions: displacement [m], rotation vector [rad], gripper (-1 open, +1 closed)."""

    needs = rtbench.Needs(cameras=("head",))
    # What the numbers mean; a preset's name, such as "libero-7d", does for most models. 4 of 8 are executed.
    action = ActionMapping(layout=("position", "rotation", "gripper"), chunk=Chunk(length=8, execute=4))

    def reset(self, slot, instruction, seed):
        """Forget the episode before; rtbench drops what is left of its chunk."""

    def predict(self, observations, slots):
        """float[slots, 8, 7]: your model goes here; observations[k].images["head"] is uint8[256, 320, 3]."""
        close = ["open" not in seen.instruction and seen.images["head"].mean() > 50 for seen in observations]
        return np.array([np.tile([0.02, 0, -0.01, 0, 0, 0.05, 1 if c else -1], (8, 1)) for c in close])


if __name__ == "__main__":
    run = rtbench.evaluate(Chunked(), "seen", skills=["pick", "place_into"], limit=4)
    # Such a policy never terminates, so that every episode lasts until its time is up: read `ever` too.
    print(run.frame[["instruction", "ever", "success", "termination"]])
    print({name: count.clipped for name, count in run.summary.clipped.items()}, "numbers clipped")

"""Evaluate your own policy: a class with `needs`, `reset` and `act`."""

import numpy as np

import rtbench


class Forward:
    """Moves the hand 2 cm forward and 1 cm down in every step, with open fingers."""

    needs = rtbench.Needs(cameras=("head",))

    def reset(self, slot, instruction, seed):
        """Called before the first `act` of every episode; a policy with memory forgets that slot's here."""

    def act(self, observations, slots):
        """Tokens int64[slots, 11] of observations with `.images["head"]`, `.instruction` and `.proprio`."""
        tokens = np.full((len(slots), 11), 128)  # 128 is no motion
        tokens[:, [0, 2, 6, 10]] = 160, 112, 0, 0  # x, z, gripper, mode
        return tokens


if __name__ == "__main__":
    run = rtbench.evaluate(Forward(), "seen", skills=["pick", "knock_over"], limit=4)
    print(run.frame[["instruction", "success", "steps", "termination"]])
    print("results:", run.path)

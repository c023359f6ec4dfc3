"""Evaluate a policy that predicts chunks of actions of 7 numbers, as OpenVLA, Octo, ACT and pi0 do."""

from collections import deque

import numpy as np

import rtbench
from rtbench.core.action import GRIPPER, RTBENCH, SIZE

CHUNK = 4
"""Actions that one prediction gives; all are played before the next prediction."""


def predict(image, instruction):
    """Your model goes here: float[CHUNK, 7] of uint8[256, 320, 3] and a text.

    An action is a displacement x, y, z [m], a rotation vector (not Euler angles) [rad], both in the robot's
    base frame, and the gripper (-1 open, +1 closed). Scale what your model gives to these units first.
    """
    close = "open" not in instruction and image.mean() > 50
    return np.tile([0.02, 0.0, -0.01, 0.0, 0.0, 0.05, 1.0 if close else -1.0], (CHUNK, 1))


class Chunked:
    """Plays the actions of a chunk one by one; each slot has a queue of its own."""

    needs = rtbench.Needs(cameras=("head",))

    def __init__(self):
        self.queues = {}

    def reset(self, slot, instruction, seed):
        """Forget the chunk of the episode before."""
        self.queues[slot] = deque()

    def act(self, observations, slots):
        """Tokens int64[slots, 11]."""
        return np.stack(
            [self._one(seen, self.queues[s]) for seen, s in zip(observations, slots, strict=True)]
        )

    def _one(self, seen, queue):
        if not queue:
            queue.extend(predict(seen.images["head"], seen.instruction))
        action = np.zeros(SIZE)  # the base stands still, and mode 0 moves the arm
        action[: GRIPPER + 1] = queue.popleft()
        return RTBENCH.encode(action)


if __name__ == "__main__":
    run = rtbench.evaluate(Chunked(), "seen", skills=["pick", "place_into"], limit=4)
    # Such a policy never terminates, so that every episode lasts until its time is up: read `ever` too.
    print(run.frame[["instruction", "ever", "success", "clipped", "termination"]])

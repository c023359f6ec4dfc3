"""Several environments at once, a process each, with statistics of their episodes."""

import gymnasium
import numpy as np
from gymnasium.wrappers.vector import RecordEpisodeStatistics

import rtbench  # noqa: F401 - registers the tasks

STEPS = 12


def main():
    """A function, since processes started by 'spawn' import this file."""
    envs = gymnasium.make_vec(
        "rtbench/PickCokeCan-v0", num_envs=2, vectorization_mode="async",
        # A process that is forked from one that has drawn cannot draw.
        vector_kwargs={"context": "spawn"},
    )  # fmt: skip
    envs = RecordEpisodeStatistics(envs)
    observations, infos = envs.reset(seed=[1, 2])
    print(list(map(str, observations["instruction"])), observations["image"].shape, infos["episode_key"])

    still = np.array([[128] * 6 + [0] + [128] * 3 + [0]] * 2)  # hold still, fingers open
    for step in range(STEPS):
        tokens = still.copy()
        tokens[:, 10] = 2 * (step % 6 == 5)  # terminate now and then
        observations, _, _, _, infos = envs.step(tokens)  # rewards, terminated, truncated
        if "episode" in infos:
            print(f"step {step}: lengths {infos['episode']['l']}, returns {infos['episode']['r']}")
    envs.close()


if __name__ == "__main__":
    main()

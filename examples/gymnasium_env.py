"""Step through one episode of a task by Gymnasium's interface."""

import gymnasium

import rtbench  # noqa: F401 - registers the tasks

env = gymnasium.make("rtbench/PickCokeCan-v0", cameras=("head", "wrist"))
observation, info = env.reset(seed=0)  # the same seed gives the same episode
print(observation["instruction"], observation["image"].shape, observation["proprio"].shape, info)

env.action_space.seed(0)
over, steps = False, 0
while not over and steps < 10:
    tokens = env.action_space.sample()  # int64[11]
    tokens[10] = 0  # mode: 0 arm, 1 base, 2 terminate
    observation, reward, terminated, truncated, info = env.step(tokens)
    over, steps = terminated or truncated, steps + 1
print(f"{steps} steps, reward {reward}, terminated {terminated}, {info}")
env.close()

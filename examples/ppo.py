"""Train PPO of Stable-Baselines3, which takes numbers only: `pip install stable-baselines3` first."""

import sys

import gymnasium
from stable_baselines3 import PPO

import rtbench  # noqa: F401 - registers the tasks
from rtbench.policy.text_encoder.encoder import SentenceEncoder

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 256

# The instruction as a vector of 384 numbers; instruction="none" leaves it out. With cameras=("head",) PPO
# sees images as well, and takes far longer.
env = gymnasium.make("rtbench/PickCokeCan-v0", cameras=(), instruction=SentenceEncoder())
print({name: space.shape for name, space in env.observation_space.items()})
model = PPO("MultiInputPolicy", env, n_steps=64, batch_size=32, n_epochs=2, seed=0, device="cpu")
model.learn(STEPS)

observation, _ = env.reset(seed=0)
tokens, _ = model.predict(observation, deterministic=True)
print("tokens:", tokens.tolist())
env.close()

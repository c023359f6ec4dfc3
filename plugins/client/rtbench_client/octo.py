"""Serves an Octo, in its environment: `python -m rtbench_client.octo --model FOLDER`.

Octo sees the last images, denoises a chunk of four actions, and un-normalises them by the statistics of one
of its data sets.
"""

from __future__ import annotations

import argparse
from collections import deque
from typing import Any, Callable, Optional

import numpy as np

from rtbench_client.observation import Observation
from rtbench_client.server import serve

WINDOW = 2
"""Images that Octo 1.5 sees, the newest included."""
SIDE = 256
"""Side of its images [pixels]."""
ACTIONS = {"bridge_dataset": "bridge-7d", "fractal20220817_data": "fractal-7d"}
"""Statistics -> what numbers in their units mean."""


class OctoPolicy:
    """A model with `create_tasks` and `sample_actions`."""

    def __init__(
        self,
        model: Any,
        statistics: str,
        keys: Callable[[int], Any],
        *,
        resize: Optional[Callable[..., Any]] = None,
    ) -> None:
        """A policy.

        Args:
            model: An `OctoModel`.
            statistics: Key of the data set by whose statistics numbers are un-normalised.
            keys: Makes a random key of a seed: `jax.random.PRNGKey`.
            resize: Resizes an image uint8[H, W, 3] to `SIDE` pixels; Pillow's Lanczos by default.

        Raises:
            ValueError: the model has no such statistics.
        """
        known = sorted(model.dataset_statistics)
        if statistics not in known:
            raise ValueError(f"the model has no statistics {statistics!r}; it has {', '.join(known)}.")
        self.model, self._keys, self._resize = model, keys, resize or _lanczos
        self._statistics = model.dataset_statistics[statistics]["action"]
        self._memories: dict[str, tuple[int, deque, dict]] = {}

    def reset(self, session: str, seed: int) -> None:
        """A new episode: no image is known."""
        self._memories[session] = seed % 2**31, deque(maxlen=WINDOW), {}

    def infer(self, observation: Observation) -> np.ndarray:
        """A chunk of actions float[4, 7] for an observation."""
        if observation.session not in self._memories:
            self.reset(observation.session, 0)
        seed, images, tasks = self._memories[observation.session]
        images.append(self._resize(observation.images["head"]))
        if observation.prompt not in tasks:
            tasks[observation.prompt] = self.model.create_tasks(texts=[observation.prompt])
        missing = WINDOW - len(images)
        window = np.stack([images[0]] * missing + list(images))[None]
        there = np.array([[False] * missing + [True] * len(images)])
        found = self.model.sample_actions(
            {"image_primary": window, "timestep_pad_mask": there},
            tasks[observation.prompt],
            unnormalization_statistics=self._statistics,
            rng=self._keys((seed + observation.step) % 2**31),
        )
        return np.asarray(found, dtype=np.float64)[0]

    def end(self, session: str) -> None:
        """A session is over."""
        self._memories.pop(session, None)


def _lanczos(image: np.ndarray) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def main(arguments: Optional[list[str]] = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m rtbench_client.octo", description=__doc__)
    parser.add_argument("--model", required=True, help="checkpoint, as OctoModel.load_pretrained takes it")
    parser.add_argument(
        "--statistics", default="bridge_dataset", help="data set whose units the actions are in"
    )
    parser.add_argument("--action", help="what the numbers mean; known of " + ", ".join(ACTIONS))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args(arguments)
    action = options.action or ACTIONS.get(options.statistics)
    if action is None:
        parser.error(f"say what numbers in the units of {options.statistics} mean: --action NAME.")
    import jax
    from octo.model.octo_model import OctoModel

    model = OctoModel.load_pretrained(options.model)
    policy = OctoPolicy(model, options.statistics, jax.random.PRNGKey)
    serve(policy, action=action, history=WINDOW, name="octo", host=options.host, port=options.port)


if __name__ == "__main__":
    main()

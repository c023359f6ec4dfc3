"""Serves an OpenVLA, in its environment: `python -m rtbench_client.openvla --model FOLDER --statistics KEY`.

The model's own code un-normalises its seven numbers by the statistics of one of its data sets. Loading it
runs code that lies beside its weights (`trust_remote_code`): take weights from people whom you trust.
"""

from __future__ import annotations

import argparse
from typing import Any, Optional

import numpy as np

from rtbench_client.observation import Observation
from rtbench_client.server import serve

PROMPT = "In: What action should the robot take to {instruction}?\nOut:"
"""Prompt of openvla-7b, from the page of its weights; the instruction is in small letters."""
ACTIONS = {"bridge_orig": "bridge-7d", "fractal20220817_data": "fractal-7d"}
"""Statistics -> what numbers in their units mean."""


class OpenVLAPolicy:
    """A model with `predict_action`, and its processor."""

    def __init__(self, model: Any, processor: Any, statistics: str) -> None:
        """A policy.

        Args:
            model: Gives seven numbers for `predict_action(**inputs, unnorm_key=, do_sample=False)`.
            processor: Makes inputs of a prompt and an image.
            statistics: Key of the data set by whose statistics numbers are un-normalised.

        Raises:
            ValueError: the model has no such statistics.
        """
        known = sorted(getattr(model, "norm_stats", None) or {statistics})
        if statistics not in known:
            raise ValueError(f"the model has no statistics {statistics!r}; it has {', '.join(known)}.")
        self.model, self.processor, self.statistics = model, processor, statistics

    def infer(self, observation: Observation) -> np.ndarray:
        """Seven numbers for an observation: shifts [m], roll, pitch and yaw [rad], gripper from 0 to 1."""
        from PIL import Image

        prompt = PROMPT.format(instruction=observation.prompt.lower())
        inputs = self.processor(prompt, Image.fromarray(observation.images["head"]))
        if hasattr(inputs, "to"):
            inputs = inputs.to(self.model.device, dtype=self.model.dtype)
        found = self.model.predict_action(**inputs, unnorm_key=self.statistics, do_sample=False)
        return np.asarray(found, dtype=np.float64)


def main(arguments: Optional[list[str]] = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m rtbench_client.openvla", description=__doc__)
    parser.add_argument("--model", required=True, help="folder of weights, or a name on the hub")
    parser.add_argument("--statistics", required=True, help="data set whose units the actions are in")
    parser.add_argument("--action", help="what the numbers mean; known of " + ", ".join(ACTIONS))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args(arguments)
    action = options.action or ACTIONS.get(options.statistics)
    if action is None:
        parser.error(f"say what numbers in the units of {options.statistics} mean: --action NAME.")
    import torch
    from transformers import AutoModelForVision2Seq, AutoProcessor

    kind = torch.bfloat16 if options.device != "cpu" else torch.float32
    processor = AutoProcessor.from_pretrained(options.model, trust_remote_code=True)
    model = AutoModelForVision2Seq.from_pretrained(options.model, torch_dtype=kind, trust_remote_code=True)
    policy = OpenVLAPolicy(model.to(options.device).eval(), processor, options.statistics)
    serve(policy, action=action, name="openvla", host=options.host, port=options.port)


if __name__ == "__main__":
    main()

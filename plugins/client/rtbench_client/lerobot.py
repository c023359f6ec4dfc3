"""Serves a policy of LeRobot, in its environment: `python -m rtbench_client.lerobot --policy.path=FOLDER`.

The policy is asked as `lerobot-eval` asks it: LeRobot's own pre-processor, `select_action`, post-processor,
one action for each observation. So its queue of actions, its ensemble and its history of observations are
LeRobot's; each session has its own.
"""

from __future__ import annotations

import argparse
import copy
from collections import deque
from typing import Any, Optional

import numpy as np

from rtbench_client.observation import Observation
from rtbench_client.server import serve

IMAGES = "observation.images."
STATE = "observation.state"
ACTIONS = {11: "rt1-11d", 7: "rtbench-7d"}
"""Numbers of an action -> what they mean, of policies trained on rtbench's exports."""


class LeRobotPolicy:
    """A policy of LeRobot with its processors."""

    def __init__(self, path: str, *, device: str = "cpu", rename: Optional[dict[str, str]] = None) -> None:
        """Load it.

        Args:
            path: Folder of a checkpoint ('pretrained_model'), or a name on the hub.
            device: Where it computes.
            rename: Camera of rtbench ('head', 'wrist') -> the policy's name of it.

        Raises:
            ValueError: the policy wants to see what rtbench does not have.
        """
        import torch
        from lerobot.configs.policies import PreTrainedConfig
        from lerobot.policies.factory import get_policy_class, make_pre_post_processors

        self._torch, self._device = torch, device
        config = PreTrainedConfig.from_pretrained(path)
        config.device = device
        self.policy = get_policy_class(config.type).from_pretrained(path, config=config)
        self.policy.to(device).eval()
        self._before, self._after = make_pre_post_processors(
            config, pretrained_path=path, preprocessor_overrides={"device_processor": {"device": device}}
        )
        pads = hasattr(config, "empty_cameras")
        self.cameras, self._images = _cameras(config.input_features, rename or {}, pads=pads)
        state = config.input_features.get(STATE)
        if state is not None:
            _check_state(tuple(state.shape), getattr(config, "max_state_dim", None), path)
        self._has_state = state is not None
        self.history = max(1, int(getattr(config, "n_obs_steps", 1) or 1))
        """Observations that it remembers."""
        self.width = int(config.output_features["action"].shape[0])
        """Numbers of an action."""
        self._memories: dict[str, dict[str, Any]] = {}

    def reset(self, session: str, seed: int) -> None:
        """A new episode: the policy forgets, and its random numbers begin anew."""
        self._torch.manual_seed(seed % 2**63)
        self.policy.reset()
        self._memories[session] = copy.deepcopy(_memory(self.policy))

    def infer(self, observation: Observation) -> np.ndarray:
        """The action float[D] for an observation."""
        self.policy.__dict__.update(self._memories[observation.session])
        batch = {
            key: self._image(observation.images[camera], shape)
            for key, (camera, shape) in self._images.items()
        }
        if self._has_state:
            batch[STATE] = self._torch.from_numpy(np.array(observation.proprio, dtype=np.float32))[None]
        batch["task"] = [observation.prompt]
        with self._torch.inference_mode():
            action = self._after(self.policy.select_action(self._before(batch)))
        self._memories[observation.session] = _memory(self.policy)
        return action[0].float().cpu().numpy()

    def end(self, session: str) -> None:
        """A session is over."""
        self._memories.pop(session, None)

    def _image(self, pixels: np.ndarray, shape: tuple[int, ...]) -> Any:
        """An image as float32[1, 3, H, W] from 0 to 1, of the size that the policy was trained with."""
        torch = self._torch
        image = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float() / 255
        size = tuple(shape[-2:])
        if tuple(image.shape[-2:]) == size:
            return image
        return torch.nn.functional.interpolate(image, size=size, mode="bilinear", antialias=True)


def _check_state(shape: tuple[int, ...], most: Optional[int], path: str) -> None:
    """Refuse a state of another size; policies with a `most`, such as SmolVLA, pad what they get up to it."""
    if (most < 15) if most else shape != (15,):
        takes = f"takes at most {most} numbers" if most else f"has shape {shape}"
        raise ValueError(f"{path}: its state {takes}; rtbench has (15,).")


def _cameras(
    features: dict[str, Any], rename: dict[str, str], *, pads: bool = False
) -> tuple[list[str], dict[str, Any]]:
    """Cameras that are needed; and key of an image -> its camera, and shape [3, H, W].

    A policy that pads, such as SmolVLA, does without those that rtbench does not have, but for one.
    """
    back = {theirs: ours for ours, theirs in rename.items()}
    found, unknown = {}, []
    for key, feature in features.items():
        if key.startswith(IMAGES):
            name = key[len(IMAGES) :]
            camera = back.get(name, name)
            if camera in ("head", "wrist"):
                found[key] = camera, tuple(feature.shape)
            else:
                unknown.append(name)
    if unknown and not (pads and found):
        name = unknown[0]
        raise ValueError(f"the policy looks at {name!r}; say which camera that is: --rename head={name}.")
    if unknown:
        print(f"the policy does without its cameras {', '.join(unknown)}.")
    return sorted({camera for camera, _ in found.values()}), found


def _memory(policy: Any) -> dict[str, Any]:
    """What a policy remembers of an episode: its queues, and its ensemble of chunks."""
    return {name: value for name, value in vars(policy).items() if _is_memory(name, value)}


def _is_memory(name: str, value: Any) -> bool:
    of_queues = isinstance(value, dict) and value and all(isinstance(one, deque) for one in value.values())
    return isinstance(value, deque) or bool(of_queues) or name == "temporal_ensembler"


def main(arguments: Optional[list[str]] = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m rtbench_client.lerobot", description=__doc__)
    parser.add_argument("--policy.path", dest="path", required=True, help="folder of a checkpoint")
    parser.add_argument("--policy.device", dest="device", default="cpu")
    parser.add_argument("--action", help="what the numbers mean; rt1-11d of 11, rtbench-7d of 7")
    parser.add_argument("--rename", action="append", default=[], metavar="CAMERA=NAME")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args(arguments)
    rename = dict(pair.split("=", 1) for pair in options.rename)
    policy = LeRobotPolicy(options.path, device=options.device, rename=rename)
    action = options.action or ACTIONS.get(policy.width)
    if action is None:
        parser.error(f"the policy gives {policy.width} numbers; say what they mean: --action NAME.")
    serve(
        policy,
        action=action,
        cameras=policy.cameras,
        history=policy.history,
        name=f"lerobot {policy.policy.config.type}",
        host=options.host,
        port=options.port,
    )


if __name__ == "__main__":
    main()

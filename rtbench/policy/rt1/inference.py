"""RT-1 decides by ONNX Runtime: without PyTorch, and faster.

On one thread of a quiet machine it took 0.61 of the time of the same network folded by hand in PyTorch.
"""

from __future__ import annotations

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from rtbench.core.errors import PolicyError
from rtbench.policy.rt1.inference_graph import decision_model, image_model
from rtbench.policy.rt1.weights import Weights

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
"""Device -> ONNX Runtime's name of what computes on it."""
QUIET = 3
"""ONNX Runtime's level of what it logs: errors."""


class Inference:
    """A network that decides for the newest frame, from image tokens that are kept from step to step.

    Frames and windows go through one at a time. So what is decided for one does not depend on the others of
    a batch: matrix products of another number of rows may add in another order.
    """

    engine = f"onnxruntime {onnxruntime.__version__}"
    """What computes, and its version."""

    def __init__(
        self, weights: Weights, *, all_modes: bool = False, threads: int = 1, device: str = "cpu"
    ) -> None:
        """Compile a network.

        Args:
            weights: They are copied.
            all_modes: Leave the logits of mode tokens that do not exist as they are, instead of minus
                infinity.
            threads: CPU threads.
            device: Where to compute: 'cpu', or 'cuda' with the package onnxruntime-gpu.

        Raises:
            PolicyError: a device that is not here.
        """
        self.size, self.convention = weights.size, weights.convention
        provider = _provider(device)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = QUIET
        # Threads that wait by spinning take the simulators' cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        models = (image_model(weights), decision_model(weights, all_modes=all_modes))
        self._images, self._decision = (
            onnxruntime.InferenceSession(model, options, providers=[provider]) for model in models
        )

    def image_tokens(self, images: NDArray[np.float32], text: NDArray[np.float32]) -> NDArray[np.float32]:
        """Image tokens of single frames.

        Args:
            images: float32[N, 3, H, W], RGB from 0 to 1, of the size's height and width.
            text: float32[N, text], vectors of their instructions.

        Returns:
            float32[N, tokens, features].
        """
        if images.shape[-2:] != self.size.image:
            raise ValueError(f"images are {tuple(images.shape[-2:])}, the network's {self.size.image}")
        return np.concatenate(
            [
                self._images.run(["tokens"], {"images": images[k : k + 1], "text": text[k : k + 1]})[0]
                for k in range(len(images))
            ]
        )

    def decide(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits for the newest frame of a window.

        Args:
            window: float32[T, tokens, features]: image tokens from the oldest on, T at most `size.frames`.

        Returns:
            float32[11, 256]; mode tokens that do not exist have minus infinity, unless `all_modes`.
        """
        logits: NDArray[np.float32] = self._decision.run(["logits"], {"tokens": window[None]})[0][0]
        return logits


def _provider(device: str) -> str:
    provider = PROVIDERS.get(device)
    here = onnxruntime.get_available_providers()
    if provider is None or provider not in here:
        known = [name for name, provider in PROVIDERS.items() if provider in here]
        raise PolicyError(
            f"device {device!r} cannot be used here: ONNX Runtime has {', '.join(known)}; 'cpu' always can."
            + (" For a GPU, install onnxruntime-gpu in place of onnxruntime." if device == "cuda" else "")
        )
    return provider

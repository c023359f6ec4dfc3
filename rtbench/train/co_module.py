"""The module that a co-fine-tuning of RT-2 trains: a network that looks once at each picture of a batch."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from rtbench.core.action import BINS
from rtbench.policy.rt2.action_layout import ActionLayout
from rtbench.policy.rt2.naming_head import Named
from rtbench.policy.rt2.network import Network, Segments
from rtbench.train.mixture import Samples
from rtbench.train.token_sequences import Batch


class Outputs(NamedTuple):
    """What `CoModule` gives."""

    logits: Tensor | None
    """float[B, S, V]; None in the stage `EYES`."""
    names: Named | None
    """Names at places; None where none are asked for."""


class CoModule(nn.Module):
    """A network, with what its training asks of it."""

    def __init__(self, network: Network, *, names: bool = False, frozen: bool = False) -> None:
        """The network itself, not a copy.

        Args:
            network: The network.
            names: Whether names at places are wanted too.
            frozen: Whether both backbones and the naming head stay as they are, batch norms included.
        """
        super().__init__()
        self.network, self._names, self._frozen = network, names, frozen
        if frozen:
            for part in (network.eyes.backbone, network.eyes.naming, network.motor):
                part.requires_grad_(requires_grad=False)

    def train(self, mode: bool = True) -> CoModule:
        """Set the mode of all that is trained."""
        super().train(mode)
        if self._frozen:
            self.network.eyes.backbone.eval()
            self.network.motor.eval()
        return self

    def forward(self, images: Tensor, samples: Samples | None, said: Batch | None) -> Outputs:
        """Looks once at each of the images float32[I, 3, H, W]; without anything to say only that."""
        network = self.network
        if not len(images):
            features, names = None, None
        else:
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self._frozen):
                features = network.eyes.feature_map(images)
            # What is frozen is only measured.
            wanted = self._names and not (self._frozen and self.training)
            names = network.eyes.naming(features) if wanted else None
        if samples is None or said is None:
            return Outputs(None, names)
        device = said.ids.device
        pictures = samples.pictures.to(device)
        states, stated = samples.states.to(device), samples.stated.to(device)
        if features is None:
            tokens = states.new_zeros(len(states), network.size.image_tokens, network.size.width)
            places = states.new_zeros(len(states), network.size.things, 2)
        else:
            picture = network.picture(features).of(pictures.clamp(min=0))
            tokens, places = network.image_tokens(picture, states, stated), picture.places
        segments = Segments(
            states,
            stated,
            tokens,
            places,
            pictures >= 0,
            said.ids,
            self._again(images, samples, len(pictures)),
            said.actions,
        )
        return Outputs(network(segments), names)

    def _again(self, images: Tensor, samples: Samples, batch: int) -> Tensor | None:
        """Second looks float32[B, tokens, width]: at the first pictures, which are the robot samples'."""
        network, count = self.network, len(samples.plans)
        if not count:
            return None
        plans = torch.from_numpy(samples.plans).to(images.device)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self._frozen):
            tokens = network.motor_tokens(images[:count], plans)
        found = network.place_again(tokens)
        none = found.new_zeros(batch - count, *found.shape[1:])
        return torch.cat([found, none])


def action_logits(logits: Tensor, said: Batch, layout: ActionLayout) -> tuple[Tensor, Tensor]:
    """What a model says of the actions in a batch, and which of its samples act.

    Args:
        logits: float[B, S, V], whose first 256 ids are the bins.
        said: What is to be said.
        layout: Order of an action's tokens.

    Returns:
        float32[N, length, 256], minus infinity for modes that do not exist; and bool[B], N of them True.
    """
    acting = said.actions >= 0
    rows = said.actions[acting][:, None] + torch.arange(layout.length, device=logits.device)
    found = logits[acting].gather(1, rows[..., None].expand(-1, -1, BINS)).float()
    found[:, layout.mode, layout.counts[layout.mode] :] = -torch.inf
    return found, acting

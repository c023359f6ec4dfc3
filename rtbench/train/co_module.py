"""The module that a co-fine-tuning of RT-2 trains: a network that looks once at each picture of a batch."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

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
    actions: Tensor | None = None
    """float[R, 11, 256]: as of `Network.act`, of the robot samples; None where nothing acts."""


class CoModule(nn.Module):
    """A network, with what its training asks of it."""

    def __init__(self, network: Network, *, names: bool = False, frozen: bool = False) -> None:
        """The network itself, not a copy.

        Args:
            network: The network.
            names: Whether names at places are wanted too.
            frozen: Whether the eyes' backbone and naming head stay as they are, batch norms included.
        """
        super().__init__()
        self.network, self._names, self._frozen = network, names, frozen
        if frozen:
            for part in (network.eyes.backbone, network.eyes.naming):
                part.requires_grad_(requires_grad=False)

    def train(self, mode: bool = True) -> CoModule:
        """Set the mode of all that is trained."""
        super().train(mode)
        if self._frozen:
            self.network.eyes.backbone.eval()
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
        )
        logits = network(segments)
        if not (acted := len(samples.plans)):
            return Outputs(logits, names)
        return Outputs(logits, names, network.act(images[:acted], *samples.acting(device)))

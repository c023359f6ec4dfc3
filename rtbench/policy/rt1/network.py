"""RT-1: images and language to action tokens (Brohan et al. 2022), exact in the size `paper`."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rtbench.core.action import MODE, Mode, convention
from rtbench.core.seeding import entropy
from rtbench.policy.rt1.conditioner import Conditioner
from rtbench.policy.rt1.config import Size
from rtbench.policy.rt1.efficientnet import EfficientNet
from rtbench.policy.rt1.film import FiLM
from rtbench.policy.rt1.initialization import initialize, initialize_as_keras
from rtbench.policy.rt1.mixer import Mixer
from rtbench.policy.rt1.token_learner import TokenLearner
from rtbench.policy.rt1.told_places import ToldPlaces
from rtbench.policy.rt1.transformer import Transformer


class RT1(nn.Module):
    """The whole network, for one action convention."""

    position: Tensor

    def __init__(self, size: Size, *, convention: str = "rtbench", seed: int = 0) -> None:
        """A network with fresh weights.

        Args:
            size: Its dimensions.
            convention: Action convention of its tokens; decides which token is the mode.
            seed: Of the weights.

        Raises:
            UnknownNameError: no such convention.
        """
        super().__init__()
        self.size = size
        self.convention = convention
        self.mode_slot = _convention(convention).order.index(MODE)
        self.language = _language(size)
        self.backbone = EfficientNet(size)
        inputs = size.top + 2 * size.coordinates
        self.projection = nn.Conv2d(inputs, size.features, 1, bias=False)
        self.film = FiLM(size.film, size.features)
        self.token_learner = TokenLearner(size.features, size.tokens)
        mixers = (Mixer(size.tokens, size.features, size.mixed) for _ in range(size.mixers))
        self.mixers = nn.Sequential(*mixers)
        self.transformer = Transformer(size)
        self.places = ToldPlaces(size.places, size.features) if size.places else None
        self.register_buffer("position", _positions(*size.map), persistent=False)
        self._initialise(torch.Generator().manual_seed(entropy("rt1 weights", seed) >> 65))

    def forward(self, images: Tensor, text: Tensor, places: Tensor | None = None) -> Tensor:
        """Logits for every frame of windows.

        Args:
            images: float32[B, T, 3, H, W], RGB from 0 to 1, of the size's height and width; T at most
                `size.frames`. A window that begins with its episode has frame 0 first, and what follows its
                last frame is without effect on it.
            text: float32[B, text]; token states are laid end to end, with zeros after the last one.
            places: float32[B, places, 2], x and y from 0 to 1, in all frames; NaN for one that is not told;
                None: none is.

        Returns:
            float32[B, T, 11, 256]; mode tokens that do not exist have minus infinity.
        """
        count = images.shape[1]
        every = None if places is None else places.repeat_interleave(count, dim=0)
        tokens = self.image_tokens(images.flatten(0, 1), text.repeat_interleave(count, dim=0), every)
        return self.logits(tokens.view(-1, count, *tokens.shape[1:]))

    def logits(self, tokens: Tensor) -> Tensor:
        """Logits as of `forward`, from the image tokens float32[B, T, tokens, features] of windows."""
        mixed = self.mixers(tokens.flatten(0, 1))
        return self.mask(self.transformer(mixed.view(tokens.shape)))

    def feature_map(self, images: Tensor, text: Tensor, places: Tensor | None = None) -> Tensor:
        """The projected map float32[N, features, H', W'], with H', W' of `Size.map`.

        Args:
            images: float32[N, 3, H, W], RGB from 0 to 1.
            text: float32[N, text].
            places: float32[N, places, 2], as of `forward`.
        """
        language = self.language(text)
        features = self.backbone(images, language)
        if self.size.coordinates:
            position = self.position.to(features.dtype).expand(len(features), -1, -1, -1)
            features = torch.cat([features, position], dim=1)
        modulated: Tensor = self.film(self.projection(features), language)
        if places is not None and self.places is not None:
            modulated = self.places(modulated, places)
        return modulated

    def image_tokens(self, images: Tensor, text: Tensor, places: Tensor | None = None) -> Tensor:
        """Image tokens float32[N, tokens, features] of single frames; arguments as in `feature_map`.

        They depend on nothing but their frame and what is told, so that they can be kept from step to step.
        """
        if not self.backbone.frozen and images.shape[-2:] != self.size.image:
            raise ValueError(f"images are {tuple(images.shape[-2:])}, the network's {self.size.image}")
        rows = self.feature_map(images, text, places).flatten(2).transpose(1, 2)
        learnt: Tensor = self.token_learner(rows)
        return learnt

    def mask(self, logits: Tensor) -> Tensor:
        """Logits float[..., 11, 256] with minus infinity for the modes that do not exist."""
        impossible = torch.zeros(logits.shape[-2:], dtype=torch.bool, device=logits.device)
        impossible[self.mode_slot, len(Mode) :] = True
        return logits.masked_fill(impossible, -math.inf)

    @torch.no_grad()
    def _initialise(self, generator: torch.Generator) -> None:
        """Draw all weights: by Keras' rules for the published network; FiLM is zero."""
        (initialize_as_keras if self.size.published else initialize)(self, generator)
        for module in self.modules():
            if isinstance(module, FiLM | ToldPlaces):
                module.zero()


def _language(size: Size) -> nn.Module:
    """What makes the vector that FiLM layers see, float32[N, film], of float32[N, text]."""
    if size.states:
        return Conditioner(size)
    return nn.Linear(size.text, size.film) if size.text != size.film else nn.Identity()


def _positions(height: int, width: int) -> Tensor:
    """Each position of the map as x and y from -1 to 1, float32[2, height, width]."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    return torch.stack([x, y])


_convention = convention
"""The parameter of the same name is what users write in cards and on the command line."""

"""The losses beside the actions', of keypoints, names and image tokens, and the module for them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt2.naming_head import NamingHead
from rtbench.train.augment import Draw, shift_points
from rtbench.train.dataset import Batch
from rtbench.train.frozen_backbone import FrozenBackbone
from rtbench.train.hyperparameters import Hyperparameters
from rtbench.train.image_token_targets import image_token_loss
from rtbench.train.keypoint_loss import KeypointNetwork, Outputs, heatmap_loss, position_loss
from rtbench.train.naming_loss import naming_loss


class Shift(NamedTuple):
    """How the pictures of a batch were shifted."""

    drawn: Draw
    """Of its windows."""
    frames: int
    """Frames of a window."""
    height: int
    """Of the pictures when they were shifted [pixels]."""
    width: int
    """Likewise."""


def training_module(network: RT1, hp: Hyperparameters, names: NDArray[np.float32] | None) -> nn.Module:
    """The module that is trained: the network, or a module around it."""
    if hp.freeze_backbone:
        return FrozenBackbone(network)
    if hp.freeze_transformer:
        network.mixers.requires_grad_(requires_grad=False)
        network.transformer.requires_grad_(requires_grad=False)
    if hp.naming_loss_weight and names is not None:
        head = NamingHead(network.size.features, torch.from_numpy(names), hp.seed)
        return KeypointNetwork(network, head)
    return KeypointNetwork(network) if hp.keypoint_loss_weight or hp.image_token_loss_weight else network


def auxiliary_loss(output: Outputs, batch: Batch, shift: Shift, hp: Hyperparameters) -> Tensor:
    """The weighted sum of keypoint, naming and image-token loss, a scalar.

    Args:
        output: Of the module for the batch's pictures.
        batch: On the module's device.
        shift: Of its pictures.
        hp: The weights of the losses.
    """
    points = shift_points(batch.points, shift.drawn, shift.height, shift.width)
    loss = heatmap_loss(output.maps, points, batch.valid)
    loss = loss + position_loss(output.positions, batch.hand, points, batch.valid)
    loss = hp.keypoint_loss_weight * loss
    if output.names is not None and batch.seen is not None:
        loss = loss + hp.naming_loss_weight * naming_loss(output.names, batch.seen.shifted(*shift))
    if batch.targets is not None:
        loss = loss + hp.image_token_loss_weight * image_token_loss(output.tokens, batch.targets, batch.valid)
    return loss

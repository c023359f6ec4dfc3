"""The transformer over a window of frames: one pass gives the logits of all action tokens.

A frame has `tokens` image positions, then 11 action slots. Slots carry nothing but their place: the released
code multiplies the embedded actions by zero and lets no slot attend a slot, so its eleven passes, one for
each token, give what one pass gives. The logits of action token k are read one position before slot k.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from rtbench.core.action import BINS, SIZE
from rtbench.policy.rt1.config import LAYER_NORM_EPS, Size


def attention_mask(frames: int, tokens: int) -> Tensor:
    """Which position (row) may attend which (column), bool[L, L] with L = frames x (tokens + 11).

    Causal, within a frame too. A slot attends image positions only, not even itself; image positions may
    attend the slots of earlier frames.
    """
    step = tokens + SIZE
    position = torch.arange(frames * step)
    slot = position % step >= tokens
    return (position[:, None] >= position) & ~(slot[:, None] & slot)


class Layer(nn.Module):
    """Attention, then one linear layer without activation; both normalised before and added after."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        inner = size.heads * size.key_dim
        self.heads = size.heads
        self.dropout = size.dropout
        self.norm1 = nn.LayerNorm(size.width, eps=LAYER_NORM_EPS)
        self.query = nn.Linear(size.width, inner)
        self.key = nn.Linear(size.width, inner)
        self.value = nn.Linear(size.width, inner)
        self.output = nn.Linear(inner, size.width)
        self.norm2 = nn.LayerNorm(size.width, eps=LAYER_NORM_EPS)
        self.linear = nn.Linear(size.width, size.width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """float32[B, L, width], likewise, under a mask bool[L, L]."""
        normed = self.norm1(x)
        q, k, v = (
            dense(normed).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for dense in (self.query, self.key, self.value)
        )
        rate = self.dropout if self.training else 0.0
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=rate)
        x = x + self.output(attended.transpose(1, 2).flatten(2))
        return x + F.dropout(self.linear(self.norm2(x)), rate)


class Transformer(nn.Module):
    """Image tokens of a window to logits of its action tokens."""

    mask: Tensor

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.tokens = size.tokens
        step = size.tokens + SIZE
        self.embed = nn.Linear(size.features, size.width)
        self.position = nn.Linear(size.frames * step, size.width)
        self.action = nn.Linear(BINS, size.features) if size.action_embedding else None
        self.layers = nn.ModuleList(Layer(size) for _ in range(size.layers))
        self.output = nn.Linear(size.width, BINS)
        self.register_buffer("mask", attention_mask(size.frames, size.tokens), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of every frame's action tokens.

        Args:
            tokens: float32[B, T, tokens, features], T at most the window.

        Returns:
            float32[B, T, 11, 256]; those of frame t depend on frames 0 to t only.
        """
        slots = tokens.new_zeros(SIZE, tokens.shape[-1])
        if self.action is not None:
            # In the graph, so that it has a gradient (of zero) as the released one has.
            slots = slots + 0 * self.action(tokens.new_zeros(BINS))
        frames = torch.cat([tokens, slots.expand(*tokens.shape[:2], -1, -1)], dim=2)
        return self.read(self.run(frames.flatten(1, 2)), tokens.shape[1])

    def run(self, sequence: Tensor) -> Tensor:
        """Output float32[B, L, width] of the last layer for whole frames float32[B, L, features]."""
        length = sequence.shape[1]
        # A dense layer on one-hot positions, as published: a row of its kernel, and the bias.
        place = self.position.weight.T[:length] + self.position.bias
        x = self.embed(sequence) + place
        mask = self.mask[:length, :length]
        for layer in self.layers:
            x = layer(x, mask)
        outputs: Tensor = x
        return outputs

    def read(self, x: Tensor, frames: int) -> Tensor:
        """Logits float32[B, frames, 11, 256], from the position before each slot in float32[B, L, width]."""
        before = x.view(len(x), frames, -1, x.shape[-1])[:, :, self.tokens - 1 : -1]
        logits: Tensor = self.output(before)
        return logits

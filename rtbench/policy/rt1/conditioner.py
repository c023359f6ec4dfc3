"""Token states of an instruction to the vector that FiLM layers see. Not in the published network.

A sentence's vector is a mean of its token states, made before anything is known of the task. Here learnt
shares say which words count.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from rtbench.policy.rt1.config import ABSENT, CONDITIONER_HIDDEN, CONDITIONER_QUERIES, LAYER_NORM_EPS, Size


class Conditioner(nn.Module):
    """A few learnt queries attend to the states; a hidden layer makes one vector of what they found."""

    def __init__(self, size: Size) -> None:
        """A network for `size.states` states of `size.text / size.states` numbers each."""
        super().__init__()
        self.states = size.states
        width = size.text // size.states
        self.norm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.position = nn.Linear(size.states, width)
        # A query's products with the keys of states are one linear layer over the states.
        self.query = nn.Linear(width, CONDITIONER_QUERIES)
        self.hidden = nn.Linear(CONDITIONER_QUERIES * width, CONDITIONER_HIDDEN)
        self.output = nn.Linear(CONDITIONER_HIDDEN, size.film)

    @torch.no_grad()
    def begin_with(self, vector: Tensor | None) -> None:
        """Let it give a vector float32[film] for every text; None: zeros."""
        nn.init.zeros_(self.output.weight)
        if vector is not None:
            self.output.bias.copy_(vector)

    def forward(self, text: Tensor) -> Tensor:
        """The vectors of instructions.

        Args:
            text: float32[N, text]: the states of an instruction laid end to end, zeros after the last one.

        Returns:
            float32[N, film].
        """
        states = text.reshape(len(text), self.states, -1)
        there = states.abs().amax(-1, keepdim=True).sign()
        # A dense layer on one-hot positions, as in the transformer: a row of its kernel, and the bias.
        x = self.norm(states) + (self.position.weight.T + self.position.bias)
        # Without any state all shares are equal, so that they are finite; then they are zero.
        shares = (self.query(x) + ABSENT * (1 - there)).softmax(1) * there
        found = (shares.transpose(1, 2) @ x).flatten(1)
        vectors: Tensor = self.output(F.gelu(self.hidden(found), approximate="tanh"))
        return vectors

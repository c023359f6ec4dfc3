"""Small RT-2 models of random weights."""

import torch

from rtbench.policy.rt2.action_layout import layout
from rtbench.policy.rt2.checkpoint import Model, Origin
from rtbench.policy.rt2.config import TINY
from rtbench.policy.rt2.instruction import ENCODER, ENCODER_SHA256
from rtbench.policy.rt2.network import Network
from rtbench.policy.rt2.vocabulary import Vocabulary

TEXTS = ("move apple near sponge", "pick coke can", "open top drawer", "place apple into paper bowl") * 2


NAMES = (("apple", "fruit"), ("coke can", "can"), ("sponge", "tool"), ("top drawer", "drawer"))


def make_vectors(size=TINY, seed=3):
    """Vectors of the names, at random."""
    return torch.randn(len(NAMES), size.state, generator=torch.Generator().manual_seed(seed))


def make_network(seed=0, vocabulary=300):
    """The tiny network of random weights."""
    return Network(TINY, vocabulary, make_vectors(), seed=seed)


def make_model(seed=0, size=TINY, kind="full", scale=1.0):
    """A model of random weights."""
    vocabulary = Vocabulary.of_texts(TEXTS)
    network = Network(size, len(vocabulary), make_vectors(), seed=seed).eval()
    if scale != 1:
        with torch.no_grad():
            for weight in network.parameters():
                weight.mul_(scale)
    return Model(network, vocabulary, layout(kind), Origin(ENCODER, ENCODER_SHA256), NAMES)

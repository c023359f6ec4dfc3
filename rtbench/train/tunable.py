"""Which weights of RT-2 are trained: all, those of the last layers, or small matrices beside them (LoRA)."""

from __future__ import annotations

from typing import Any

from torch import nn

from rtbench.core.errors import MissingExtraError, RtbenchError
from rtbench.policy.rt2.network import Network

LORA_LAYERS = ("query", "key_value", "output", "expand", "contract")
"""Linear layers of the decoder that get matrices of low rank."""


class TuneError(RtbenchError):
    """Weights that cannot be trained in this way."""


def last_layers(network: Network, count: int) -> None:
    """Train the last `count` layers of the decoder, what stands after them, and the embeddings of ids.

    Raises:
        TuneError: the decoder has fewer layers.
    """
    if count > len(network.layers):
        raise TuneError(f"--last-layers {count}: the decoder has {len(network.layers)}.")
    network.requires_grad_(requires_grad=False)
    trained: list[nn.Module] = [*list(network.layers)[-count:], network.norm, network.head, network.embed]
    trained.append(network.pointer)
    for module in trained:
        module.requires_grad_(requires_grad=True)


def with_lora(network: Network, rank: int) -> None:
    """Add matrices of low rank beside the decoder's linear layers, in place (Hu et al. 2021).

    Of the rest, embeddings of ids and the output matrix alone train, since the actions' rows begin at random.

    Raises:
        MissingExtraError: peft is not installed.
    """
    peft = _peft()
    config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(LORA_LAYERS), lora_dropout=0.0)
    peft.inject_adapter_in_model(config, network)
    for module in (network.norm, network.head, network.embed, network.pointer):
        module.requires_grad_(requires_grad=True)


def merged(network: Network, size_of: Network) -> Network:
    """The network without LoRA: its matrices are added to the layers that they stand beside.

    Args:
        network: With or without LoRA; it is not changed.
        size_of: A network of the same structure without it; its weights are replaced.
    """
    state = network.state_dict()
    plain: dict[str, Any] = {}
    for name, value in state.items():
        if ".lora_" in name:
            continue
        plain[name.replace(".base_layer.", ".")] = value
    for name, module in network.named_modules():
        if hasattr(module, "get_delta_weight") and hasattr(module, "active_adapters"):
            delta = sum(module.get_delta_weight(adapter) for adapter in module.active_adapters)
            plain[f"{name}.weight"] = plain[f"{name}.weight"] + delta
    size_of.load_state_dict(plain)
    return size_of.eval()


def _peft() -> Any:
    try:
        import peft
    except ModuleNotFoundError:
        raise MissingExtraError("--lora needs peft; run: pip install 'peft>=0.21'.") from None
    return peft

"""RT-1: the published network, a small one of the same structure, and the policy that acts by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtbench.policy.rt1.policy import from_weights

__all__ = ["from_weights"]


def __getattr__(name: str) -> Any:
    """Import `from_weights`, which cards name, when it is first used: it brings ONNX Runtime."""
    if name != "from_weights":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from rtbench.policy.rt1.policy import from_weights

    return from_weights

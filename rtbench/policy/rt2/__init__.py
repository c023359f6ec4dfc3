"""RT-2: vision-language models that answer with actions, a small one of our own and PaliGemma."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rtbench.core.extras import require

if TYPE_CHECKING:
    from rtbench.policy.rt2.paligemma import from_paligemma
    from rtbench.policy.rt2.policy import from_weights

__all__ = ["from_paligemma", "from_weights"]
_FACTORIES = {"from_weights": ("policy", "rt2"), "from_paligemma": ("paligemma", "paligemma")}
"""Factory, which cards name -> its module, and the extra that it needs."""


def __getattr__(name: str) -> Any:
    """Import a factory when it is first used: it needs PyTorch."""
    if name not in _FACTORIES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, extra = _FACTORIES[name]
    require(extra, "policy rt2")
    return getattr(import_module(f"{__name__}.{module}"), name)

"""RT-2: vision-language models that answer with actions, a small one of our own and PaliGemma."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rtbench.core.extras import require

if TYPE_CHECKING:
    from rtbench.policy.rt2.paligemma import from_paligemma
    from rtbench.policy.rt2.policy import from_weights

__all__ = ["from_paligemma", "from_weights"]


def __getattr__(name: str) -> Any:
    """Import a factory when it is first used: it needs PyTorch.

    Its module is named by an import, not by a computed name: what makes a policy is found by reading imports.
    """
    if name == "from_weights":
        require("rt2", "policy rt2")
        from rtbench.policy.rt2.policy import from_weights

        return from_weights
    if name == "from_paligemma":
        require("paligemma", "policy rt2")
        from rtbench.policy.rt2.paligemma import from_paligemma

        return from_paligemma
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

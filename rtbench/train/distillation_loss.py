"""The loss of distillation (Hinton et al. 2015) over the action ids that teacher and student share."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name


def distillation_loss(
    student: Tensor, teacher: Tensor, targets: Tensor, *, temperature: float = 2.0, hard_weight: float = 0.5
) -> Tensor:
    """Mean of soft and hard loss over all tokens, a scalar.

    The soft one is the divergence KL(teacher || student), both at the temperature, times its square, so that
    its gradient is as large at any temperature. The hard one is cross-entropy with the right bins.

    Args:
        student: Logits float[..., 256] of the bins.
        teacher: Likewise, of the same positions; no gradient flows into them.
        targets: int64[...], the right bins.
        temperature: T, above 0.
        hard_weight: Weight of the hard loss, 0 to 1; the soft one has the rest.
    """
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature}; it must be above 0")
    cold = F.log_softmax(student.flatten(0, -2).float() / temperature, -1)
    aim = F.log_softmax(teacher.detach().flatten(0, -2).float() / temperature, -1)
    soft = F.kl_div(cold, aim, reduction="batchmean", log_target=True) * temperature**2
    hard = F.cross_entropy(student.flatten(0, -2).float(), targets.flatten())
    return (1 - hard_weight) * soft + hard_weight * hard

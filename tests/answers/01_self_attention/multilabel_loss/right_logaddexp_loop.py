"""Class by class with logaddexp."""

import torch


def multilabel_loss(
    logits: torch.Tensor, labels: torch.Tensor, pos_weight: torch.Tensor | None = None
) -> torch.Tensor:
    total = logits.new_zeros(())
    nothing = torch.zeros_like(logits[:, 0])
    for c in range(logits.shape[1]):
        hit = labels[:, c] == 1
        weight = 1.0 if pos_weight is None else pos_weight[c].to(logits.dtype)
        z = logits[:, c]
        missed = torch.logaddexp(nothing, -z) * weight
        false_alarm = torch.logaddexp(nothing, z)
        total = total + torch.where(hit, missed, false_alarm).sum()
    return total / logits.numel()

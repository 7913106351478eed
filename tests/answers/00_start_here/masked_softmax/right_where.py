"""torch.where before and after."""

import torch


def masked_softmax(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    lowest = torch.full_like(scores, -1e9)
    return torch.where(mask, torch.softmax(torch.where(mask, scores, lowest), dim=-1), 0.0)

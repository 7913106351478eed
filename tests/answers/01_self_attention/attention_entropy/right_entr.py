"""torch.special.entr."""

import torch


def attention_entropy(weights: torch.Tensor) -> torch.Tensor:
    return torch.special.entr(weights).sum(dim=-1)

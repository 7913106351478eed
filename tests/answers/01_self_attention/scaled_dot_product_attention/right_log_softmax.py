"""Log-softmax, exponentiated; the mask as a clone that is changed in place."""

import torch


def scaled_dot_product_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    scale: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    d_k = query.size(-1)
    scores = torch.einsum("...ik,...jk->...ij", query, key)
    scores = scores.mul(1 / d_k**0.5 if scale is None else scale)
    if attn_mask is not None:
        blocked = torch.logical_not(attn_mask) | torch.zeros_like(scores, dtype=torch.bool)
        everything = blocked.all(dim=-1, keepdim=True)
        scores = scores.clone()
        scores[blocked] = -torch.inf
        scores[everything.expand_as(blocked)] = 0
        weights = torch.exp(torch.log_softmax(scores, -1)) * ~everything
    else:
        weights = torch.exp(torch.log_softmax(scores, -1))
    return (weights.unsqueeze(-1) * value.unsqueeze(-3)).sum(-2), weights

"""A log-softmax over the pair (0, z): the two-class form of the same thing."""

import torch


def multilabel_loss(logits, labels, pos_weight=None):
    pair = torch.stack([torch.zeros_like(logits), logits], dim=-1)
    logp = torch.log_softmax(pair, dim=-1)
    picked = logp.gather(-1, labels.long().unsqueeze(-1)).squeeze(-1)
    if pos_weight is not None:
        picked = torch.where(labels.bool(), picked * pos_weight.to(picked.dtype), picked)
    return picked.mean().neg()

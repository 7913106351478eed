"""Mistake: torch's multi-label loss under another name.
Message: ready-made
"""

import torch.nn.functional as F


def multilabel_loss(logits, labels, pos_weight=None):
    labels = labels.to(logits.dtype)
    if pos_weight is None:
        return F.multilabel_soft_margin_loss(logits, labels)
    terms = labels * pos_weight * F.softplus(-logits) + (1 - labels) * F.softplus(logits)
    return terms.mean()

"""Mistake: torch's BCE with logits.
Message: ready-made
"""

import torch.nn.functional as F


def multilabel_loss(logits, labels, pos_weight=None):
    return F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), pos_weight=pos_weight)

"""Mistake: the same as a module.
Message: ready-made
"""

from torch import nn


def multilabel_loss(logits, labels, pos_weight=None):
    return nn.BCEWithLogitsLoss(pos_weight=pos_weight)(logits, labels.to(logits.dtype))

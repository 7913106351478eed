"""Mistake: softmax over the rows.
Message: last
"""

import torch


def masked_softmax(scores, mask):
    weights = scores.masked_fill(~mask, -torch.inf).softmax(0)
    return weights.masked_fill(~mask, 0.0).nan_to_num()

"""Mistake: -1e4 lies above real scores that are lower
Message: softmax of a row
"""

import torch


def masked_softmax(scores, mask):
    filled = torch.where(mask, scores, torch.full_like(scores, -1e4))
    return filled.softmax(-1) * mask

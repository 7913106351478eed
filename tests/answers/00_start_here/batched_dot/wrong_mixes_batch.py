"""Mistake: sums over the batch.
Message: batch
"""

import torch


def batched_dot(a, b):
    return torch.einsum("btd,csd->bts", a, b)

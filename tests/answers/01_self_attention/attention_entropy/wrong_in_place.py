"""Mistake: zeros of the caller's weights become ones.
Message: chang
"""

import torch


def attention_entropy(weights):
    with torch.no_grad():
        weights[weights == 0] = 1
    return -(weights * weights.log()).sum(-1)

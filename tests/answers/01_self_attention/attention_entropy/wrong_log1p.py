"""Mistake: log(1 + w).
Message: entropy
"""

import torch


def attention_entropy(weights):
    return -(weights * torch.log1p(weights)).sum(-1)

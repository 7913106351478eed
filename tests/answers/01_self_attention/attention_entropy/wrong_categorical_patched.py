"""Mistake: the same, with rows of zeros caught.
Message: normalis
"""

import torch


def attention_entropy(weights):
    empty = weights.sum(-1) == 0
    safe = weights + empty.unsqueeze(-1)
    return torch.distributions.Categorical(probs=safe).entropy() * ~empty

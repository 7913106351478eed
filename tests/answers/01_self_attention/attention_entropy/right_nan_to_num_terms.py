"""NaN terms become zero before the sum."""

import torch


def attention_entropy(weights):
    terms = weights * torch.log(weights)
    return torch.nan_to_num(terms, nan=0.0).sum(-1) * -1

"""unsqueeze, one side is enough."""

import torch


def broadcast_add(a, b):
    return torch.add(a.unsqueeze(-1), b)

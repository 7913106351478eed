"""torch.meshgrid."""

import torch


def broadcast_add(rows, columns):
    a, b = torch.meshgrid(rows, columns, indexing="ij")
    return a + b

"""Mistake: concatenates.
Message: shape
"""

import torch


def broadcast_add(rows, columns):
    return torch.cat([rows, columns])

"""Mistake: cosine similarity.
Message: dot product
"""

import torch.nn.functional as F


def batched_dot(a, b):
    return F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).transpose(1, 2)

"""Mistake: no mask at all.
Message: mask
"""

def causal_mask(length, device=None):
    return torch.ones(1, 1, length, length, dtype=torch.bool, device=device)

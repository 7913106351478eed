"""Mistake: one too long.
Message: shape
"""

def causal_mask(length, device=None):
    return torch.ones(1, 1, length + 1, length + 1, dtype=torch.bool, device=device).tril()

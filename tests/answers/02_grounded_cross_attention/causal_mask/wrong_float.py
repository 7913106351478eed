"""Mistake: float, not bool.
Message: dtype
"""

def causal_mask(length, device=None):
    return torch.ones(1, 1, length, length, device=device).tril()

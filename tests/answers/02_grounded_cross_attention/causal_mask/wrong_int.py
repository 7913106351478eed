"""Mistake: integers.
Message: dtype
"""

def causal_mask(length, device=None):
    return torch.ones(1, 1, length, length, dtype=torch.int64, device=device).tril()

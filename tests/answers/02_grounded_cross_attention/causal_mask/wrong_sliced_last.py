"""Mistake: the last word cannot see itself.
Message: mask
"""

def causal_mask(length, device=None):
    m = torch.ones(1, 1, length, length, dtype=torch.bool, device=device).tril()
    m[..., -1, -1] = False
    return m

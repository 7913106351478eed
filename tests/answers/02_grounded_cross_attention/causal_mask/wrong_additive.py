"""Mistake: the additive form.
Message: dtype
"""

def causal_mask(length, device=None):
    return torch.full((1, 1, length, length), float('-inf'), device=device).triu(1)

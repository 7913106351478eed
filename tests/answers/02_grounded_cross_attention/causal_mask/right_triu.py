"""Not the upper triangle."""

def causal_mask(length, device=None):
    return ~torch.ones(length, length, device=device).triu(1).bool().view(1, 1, length, length)

"""Mistake: a clamp of 1e-6 at both places adds up over many keys
Message: entropy
"""

def attention_entropy(weights):
    safe = weights.clamp_min(1e-6)
    return -(safe * safe.log()).sum(dim=-1)

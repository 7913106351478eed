"""Mistake: Multiplies by the mask without a cast: subtracting from 1 fails for booleans.
Message: RuntimeError
"""


def mean_pool(last_hidden_state, attention_mask):
    x = last_hidden_state
    keep = (1 - attention_mask).unsqueeze(-1).eq(0).to(x.dtype)
    total = (x * keep).sum(1)
    count = keep.sum(1).clamp(min=1)
    return total / count

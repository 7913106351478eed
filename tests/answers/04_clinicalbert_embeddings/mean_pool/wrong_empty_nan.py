"""Mistake: An empty row gives nan.
Message: finite
"""


def mean_pool(last_hidden_state, attention_mask):
    x = last_hidden_state
    keep = attention_mask.bool().unsqueeze(-1).to(x.dtype)
    total = (x * keep).sum(1)
    count = keep.sum(1)
    return total / count

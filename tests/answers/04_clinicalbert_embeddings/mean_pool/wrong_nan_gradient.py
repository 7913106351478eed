"""Mistake: Empty rows are patched after 0/0: the gradient is nan.
Message: gradient
"""


def mean_pool(last_hidden_state, attention_mask):
    x = last_hidden_state
    keep = attention_mask.bool().unsqueeze(-1).to(x.dtype)
    total = (x * keep).sum(1)
    count = keep.sum(1)
    return torch.where(keep.sum(1) > 0, total / count, 0.0)

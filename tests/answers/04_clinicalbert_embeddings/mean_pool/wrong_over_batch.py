"""Mistake: One mean over the whole batch.
Message: the mean over real tokens
"""


def mean_pool(last_hidden_state, attention_mask):
    x = last_hidden_state
    keep = attention_mask.bool().unsqueeze(-1).to(x.dtype)
    total = (x * keep).sum(1)
    count = keep.sum(1).clamp(min=1)
    return ((x * keep).sum((0, 1)) / keep.sum((0, 1)).clamp(min=1)).expand(len(x), -1)

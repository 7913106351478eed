"""Mistake: An empty row gives the plain mean.
Message: without tokens
"""


def mean_pool(last_hidden_state, attention_mask):
    x = last_hidden_state
    keep = attention_mask.bool().unsqueeze(-1).to(x.dtype)
    total = (x * keep).sum(1)
    count = keep.sum(1).clamp(min=1)
    return torch.where(keep.sum(1) > 0, total / count, x.mean(1))

"""Mistake: Divides by the non-zero entries.
Message: mean
"""


def mean_pool(last_hidden_state, attention_mask):
    x = last_hidden_state
    keep = attention_mask.bool().unsqueeze(-1).to(x.dtype)
    total = (torch.relu(x) * keep).sum(1)
    count = (x * keep != 0).sum(1).clamp(min=1)
    return total / count

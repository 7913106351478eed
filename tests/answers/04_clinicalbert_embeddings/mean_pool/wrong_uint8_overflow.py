"""Mistake: Sums an 8-bit mask in 8 bits.
Message: mean
"""


def mean_pool(last_hidden_state, attention_mask):
    x = last_hidden_state
    keep = attention_mask.bool().unsqueeze(-1).to(x.dtype)
    total = (x * keep).sum(1)
    count = attention_mask.to(torch.uint8).sum(1, keepdim=True, dtype=torch.uint8).clamp(min=1).to(x.dtype)
    return total / count

"""Mistake: Assumes padding behind.
Message: mean
"""


def mean_pool(last_hidden_state, attention_mask):
    lengths = attention_mask.sum(1).tolist()
    return torch.stack([h[:n].sum(0) / max(n, 1) for h, n in zip(last_hidden_state, lengths)])

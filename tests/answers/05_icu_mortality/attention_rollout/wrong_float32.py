"""Mistake: everything in single precision
Message: dtype
"""

def attention_rollout(attentions, pooling, is_event):
    score = pooling.float().mean(1)[:, None]
    for attention in reversed(attentions):
        score = (score @ attention.float().mean(1) + score) / 2
    return score[:, 0].masked_fill(~is_event, 0)

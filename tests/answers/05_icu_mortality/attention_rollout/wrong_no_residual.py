"""Mistake: attention alone, without the residual path
Message: residual path
"""

def attention_rollout(attentions, pooling, is_event):
    score = pooling.mean(1)[:, None]
    for attention in reversed(attentions):
        score = score @ attention.mean(1)
    return score[:, 0].masked_fill(~is_event, 0)

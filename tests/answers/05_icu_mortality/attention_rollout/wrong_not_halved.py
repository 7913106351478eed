"""Mistake: A + I is not divided by 2
Message: divided by 2
"""

def attention_rollout(attentions, pooling, is_event):
    score = pooling.mean(1)[:, None]
    for attention in reversed(attentions):
        score = score @ attention.mean(1) + score
    return score[:, 0].masked_fill(~is_event, 0)

"""Mistake: the largest head of every layer
Message: not the largest
"""

def attention_rollout(attentions, pooling, is_event):
    score = pooling.mean(1)[:, None]
    for attention in reversed(attentions):
        score = (score @ attention.amax(1) + score) / 2
    return score[:, 0].masked_fill(~is_event, 0)

"""Mistake: a dimension too many is returned
Message: shape
"""

def attention_rollout(attentions, pooling, is_event):
    score = pooling.mean(1)[:, None]
    for attention in reversed(attentions):
        score = (score @ attention.mean(1) + score) / 2
    return score.masked_fill(~is_event[:, None], 0)

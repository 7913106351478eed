"""Mistake: the layers are left out
Message: layers are missing
"""

def attention_rollout(attentions, pooling, is_event):
    score = pooling.mean(1)[:, None]
    for attention in reversed(attentions):
        pass
    return score[:, 0].masked_fill(~is_event, 0)

"""Mistake: the caller's pooling is written to
Message: `pooling` was changed
"""

def attention_rollout(attentions, pooling, is_event):
    score = pooling.mul_(1.0).masked_fill_(~is_event[:, None], 0).mean(1)[:, None]
    for attention in reversed(attentions):
        score = (score @ attention.mean(1) + score) / 2
    return score[:, 0].masked_fill(~is_event, 0)

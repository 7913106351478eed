"""Mistake: the heads of the pooling are summed
Message: not their sum
"""

def attention_rollout(attentions, pooling, is_event):
    score = pooling.sum(1)[:, None]
    for attention in reversed(attentions):
        score = (score @ attention.mean(1) + score) / 2
    return score[:, 0].masked_fill(~is_event, 0)

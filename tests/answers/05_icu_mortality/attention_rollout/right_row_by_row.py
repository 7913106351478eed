"""A row vector from the last layer to the first.
"""

def attention_rollout(attentions, pooling, is_event):
    score = pooling.mean(1)[:, None]
    for attention in reversed(attentions):
        score = (score @ attention.mean(1) + score) / 2
    return score[:, 0].masked_fill(~is_event, 0)

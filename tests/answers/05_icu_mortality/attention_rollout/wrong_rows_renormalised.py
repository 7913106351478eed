"""Mistake: the rows of every layer are made to sum to one
Message: the score
"""

def attention_rollout(attentions, pooling, is_event):
    score = pooling.mean(1)[:, None]
    for attention in reversed(attentions):
        attention = attention / attention.sum(-1, keepdim=True)
        score = (score @ attention.mean(1) + score) / 2
    return score[:, 0].masked_fill(~is_event, 0)

"""Mistake: the last layer alone
Message: the score
"""

def attention_rollout(attentions, pooling, is_event):
    score = pooling.mean(1)[:, None]
    for attention in attentions[-1:]:
        score = (score @ attention.mean(1) + score) / 2
    return score[:, 0].masked_fill(~is_event, 0)

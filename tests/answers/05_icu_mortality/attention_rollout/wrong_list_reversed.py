"""Mistake: the caller's list is reversed in place
Message: `attentions` was changed
"""

def attention_rollout(attentions, pooling, is_event):
    attentions.reverse()
    score = pooling.mean(1)[:, None]
    for attention in attentions:
        score = (score @ attention.mean(1) + score) / 2
    return score[:, 0].masked_fill(~is_event, 0)

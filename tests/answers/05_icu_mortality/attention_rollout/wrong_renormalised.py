"""Mistake: the score is divided by its sum
Message: nothing is renormalised
"""

def attention_rollout(attentions, pooling, is_event):
    score = pooling.mean(1)[:, None]
    for attention in reversed(attentions):
        score = (score @ attention.mean(1) + score) / 2
    score = score[:, 0].masked_fill(~is_event, 0)
    return score / score.sum(-1, keepdim=True).clamp(min=1e-9)

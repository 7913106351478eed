"""Mistake: padding is masked inside the product
Message: not inside the product
"""

def attention_rollout(attentions, pooling, is_event):
    score = pooling.mean(1)[:, None]
    for attention in reversed(attentions):
        attention = attention * is_event[:, None, None] * is_event[:, None, :, None]
        score = (score @ attention.mean(1) + score) / 2
    return score[:, 0].masked_fill(~is_event, 0)

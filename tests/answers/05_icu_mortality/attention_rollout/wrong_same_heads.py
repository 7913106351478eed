"""Mistake: all layers are stacked, so that H must not differ
Message: stack
"""

def attention_rollout(attentions, pooling, is_event):
    attentions = torch.stack(attentions)
    score = pooling.mean(1)[:, None]
    for attention in attentions.flip(0):
        score = (score @ attention.mean(1) + score) / 2
    return score[:, 0].masked_fill(~is_event, 0)

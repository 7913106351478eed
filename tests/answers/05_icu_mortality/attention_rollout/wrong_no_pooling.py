"""Mistake: the pooling is left out
Message: no pooling
"""

def attention_rollout(attentions, pooling, is_event):
    score = torch.full_like(pooling[:, :1], 1 / pooling.shape[-1])
    for attention in reversed(attentions):
        score = (score @ attention.mean(1) + score) / 2
    return score[:, 0].masked_fill(~is_event, 0)

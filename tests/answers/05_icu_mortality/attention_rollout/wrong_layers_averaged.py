"""Mistake: the layers are averaged, not multiplied
Message: multiplied, not averaged
"""

def attention_rollout(attentions, pooling, is_event):
    score = pooling.mean(1)[:, None]
    mean = torch.stack([a.mean(1) for a in attentions]).mean(0)
    score = (score @ mean + score) / 2
    return score[:, 0].masked_fill(~is_event, 0)

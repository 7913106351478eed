"""Recursion over the layers; torch.where for padding.
"""

def _back(row, layers):
    if not layers:
        return row
    *below, last = layers
    fetched = torch.bmm(row.unsqueeze(1), last.sum(1) / last.size(1)).squeeze(1)
    return _back(row.lerp(fetched, 0.5), below)


def attention_rollout(attentions, pooling, is_event):
    score = _back(pooling.mean(dim=1), list(attentions))
    return torch.where(is_event, score, score.new_zeros(()))

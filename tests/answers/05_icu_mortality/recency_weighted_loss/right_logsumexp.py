"""Weights through logsumexp, nested selection, softplus.
"""

def recency_weighted_loss(step_logits, outcome, minutes_to_window_end, is_event, half_life):
    some = is_event.any(dim=-1)
    if not some.any():
        return (step_logits * 0).sum() if torch.isfinite(step_logits).all() else step_logits.mul(0).nan_to_num().sum()
    z, y = step_logits[some], outcome[some].to(step_logits.dtype).unsqueeze(-1)
    m, keep = minutes_to_window_end[some].to(step_logits.dtype), is_event[some]
    log_w = torch.where(keep, -m * math.log(2) / half_life, torch.full_like(m, -float("inf")))
    w = (log_w - torch.logsumexp(log_w, dim=-1, keepdim=True)).exp()
    z = torch.where(keep, z, torch.zeros_like(z))
    loss = F.softplus(z) - y * z
    return (w * loss).sum(-1).mean()


import math

"""Normalised weights are a softmax of -minutes ln 2 / half_life."""

def recency_weighted_loss(step_logits, outcome, minutes_to_window_end, is_event, half_life):
    y = outcome.to(step_logits.dtype).unsqueeze(1)
    sign = 1 - 2 * y
    z = torch.where(is_event, step_logits, torch.zeros_like(step_logits))
    loss = F.softplus(sign * z)
    score = -minutes_to_window_end.to(z.dtype) * float(np.log(2)) / half_life
    score = score.masked_fill(~is_event, torch.finfo(z.dtype).min)
    w = torch.softmax(score, dim=1) * is_event
    per_stay = (w * loss).sum(dim=1)
    keep = is_event.any(dim=1)
    return per_stay.sum() / max(int(keep.sum()), 1)

"""A loop over stays; log(1 + e^z) - y z."""

def recency_weighted_loss(step_logits, outcome, minutes_to_window_end, is_event, half_life):
    per_stay = []
    for z, y, m, real in zip(step_logits, outcome, minutes_to_window_end, is_event):
        if not real.any():
            continue
        z, m = z[real], m[real]
        w = torch.pow(2.0, -(m - m.min()) / half_life).to(z.dtype)
        bce = torch.logaddexp(torch.zeros_like(z), z) - z * float(y)
        per_stay.append((w * bce).sum() / w.sum())
    if not per_stay:
        return (step_logits * 0).sum()
    return torch.stack(per_stay).mean()

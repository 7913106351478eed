"""A helper, gather, xlogy; returns a list."""

def _mean_over(values, keep):
    return values[keep].mean() if keep.any() else values.new_zeros(())


def compute_loss(logits, token_ids, attn_weights, finding_masks, lambda_ground=0.1, lambda_entropy=0.01, pad_id=0):
    target = token_ids[:, 1:]
    real = target.ne(pad_id)
    lp = logits[:, :-1].log_softmax(-1)
    nll = -lp.gather(-1, target.unsqueeze(-1)).squeeze(-1)
    a = attn_weights[-1][:, :, :-1].mean(1)
    h = -torch.xlogy(a, a.clamp_min(1e-30)).sum(-1)
    m = finding_masks[:, 1:].type_as(a)
    w = m / m.sum(-1, keepdim=True).clamp_min(1e-30)
    c = a.clamp(1e-6, 1 - 1e-6)
    b = F.binary_cross_entropy(c, w.clamp(0, 1), reduction="none").mean(-1)
    ce, g, e = _mean_over(nll, real), _mean_over(b, (m > 0).any(-1)), _mean_over(h, real)
    return [ce + lambda_ground * g + lambda_entropy * e, ce, g, e]

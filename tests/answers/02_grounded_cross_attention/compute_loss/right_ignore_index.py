"""Masked sums divided by clamped counts; BCE by hand."""

def compute_loss(logits, token_ids, attn_weights, finding_masks, lambda_ground=0.1, lambda_entropy=0.01, pad_id=0):
    B, T, V = logits.shape
    n = (token_ids[:, 1:] != pad_id).sum()
    ce = F.cross_entropy(logits[:, :-1].reshape(-1, V), token_ids[:, 1:].reshape(-1), ignore_index=pad_id, reduction="sum")
    ce = ce / n.clamp(min=1)
    avg = attn_weights[-1].mean(dim=1)
    pred, gold = avg[:, :-1], finding_masks[:, 1:].to(logits.dtype)
    size = gold.sum(-1, keepdim=True)
    keep = (size[..., 0] > 0).to(logits.dtype)
    gold = gold / size.clamp(min=1e-9)
    p = pred.clamp(1e-6, 1 - 1e-6)
    bce = -(gold * p.log() + (1 - gold) * (1 - p).log()).mean(-1)
    ground = (bce * keep).sum() / keep.sum().clamp(min=1)
    live = (token_ids[:, 1:] != pad_id).to(logits.dtype)
    h = -(pred * (pred + 1e-12).log()).sum(-1)
    ent = (h * live).sum() / live.sum().clamp(min=1)
    return ce + lambda_ground * ground + lambda_entropy * ent, ce, ground, ent

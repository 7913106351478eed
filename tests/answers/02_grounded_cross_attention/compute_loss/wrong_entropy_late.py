"""Mistake: one row too late.
Message: too late
"""

def compute_loss(logits, token_ids, attn_weights, finding_masks, lambda_ground=0.1, lambda_entropy=0.01, pad_id=0):
    targets = token_ids[:, 1:]
    word = targets != pad_id
    rows = attn_weights[-1].mean(1)[:, :-1]
    masks = finding_masks[:, 1:].to(logits.dtype)
    has = masks.sum(-1) > 0
    zero = logits.sum() * 0
    ce, ground, entropy = zero, zero, zero
    if word.any():
        ce = F.cross_entropy(logits[:, :-1][word], targets[word])
        r = attn_weights[-1].mean(1)[:, 1:][word]
        entropy = -(r * r.clamp(min=1e-12).log()).sum(-1).mean()
    if has.any():
        m = masks[has] / masks[has].sum(-1, keepdim=True)
        a = rows[has].clamp(1e-6, 1 - 1e-6)
        ground = F.binary_cross_entropy(a, m)
    total = ce + lambda_ground * ground + lambda_entropy * entropy
    return total, ce, ground, entropy

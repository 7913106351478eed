"""Mistake: everything unshifted but the cross-entropy, padding in the entropy.
Message: cross-entropy
"""

def compute_loss(logits, token_ids, attn_weights, finding_masks, lambda_ground=0.1, lambda_entropy=0.01, pad_id=0):
    shift_logits, shift_targets = logits[:, :-1].contiguous(), token_ids[:, 1:].contiguous()
    ce = F.cross_entropy(shift_logits.view(-1, logits.size(-1)), shift_targets.view(-1), ignore_index=0)
    avg = attn_weights[-1].mean(dim=1)
    exists = finding_masks.sum(dim=-1) > 0
    ground = torch.tensor(0.0)
    if exists.any():
        m = finding_masks[exists].to(logits.dtype)
        ground = F.binary_cross_entropy(avg[exists].clamp(1e-6, 1 - 1e-6), m / (m.sum(-1, keepdim=True) + 1e-6))
    entropy = -(avg * (avg + 1e-8).log()).sum(-1).mean()
    return ce + lambda_ground * ground + lambda_entropy * entropy, ce, ground, entropy

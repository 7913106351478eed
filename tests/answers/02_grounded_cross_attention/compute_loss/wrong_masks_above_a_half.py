"""Mistake: soft masks below a half are left out; an entry above zero counts
Message: grounding
"""

import torch
import torch.nn.functional as F


def compute_loss(
    logits, token_ids, attn_weights, finding_masks, lambda_ground=0.1, lambda_entropy=0.01, pad_id=0
):
    words, rows = token_ids[:, 1:], attn_weights[-1].mean(1)[:, :-1]
    real = words != pad_id
    masks = finding_masks[:, 1:].to(logits.dtype)
    pointed = (masks > 0.5).any(-1)
    ce = ground = entropy = 0 * logits.sum()
    if real.any():
        ce = F.cross_entropy(logits[:, :-1][real], words[real])
        a = rows[real]
        entropy = -(a * a.clamp_min(1e-12).log()).sum(-1).mean()
    if pointed.any():
        share = masks[pointed] / masks[pointed].sum(-1, keepdim=True)
        ground = F.binary_cross_entropy(rows[pointed].clamp(1e-6, 1 - 1e-6), share)
    total = ce + lambda_ground * ground + lambda_entropy * entropy
    return total, ce, ground, entropy

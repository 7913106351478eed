"""Two loops over reports and words."""

def compute_loss(logits, token_ids, attn_weights, finding_masks, lambda_ground=0.1, lambda_entropy=0.01, pad_id=0):
    log_p = torch.log_softmax(logits, -1)
    layer = sum(attn_weights[-1].unbind(1)) / attn_weights[-1].shape[1]
    ces, bces, ents = [], [], []
    for b in range(token_ids.shape[0]):
        for t in range(1, token_ids.shape[1]):
            row = layer[b, t - 1]
            if token_ids[b, t] != pad_id:
                ces.append(-log_p[b, t - 1, token_ids[b, t]])
                safe = torch.where(row > 0, row, torch.ones_like(row))
                ents.append(-(row * safe.log()).sum())
            mask = finding_masks[b, t].to(logits.dtype)
            if mask.sum() > 0:
                bces.append(F.binary_cross_entropy(row.clamp(1e-6, 1 - 1e-6), mask / mask.sum()))
    def mean(values):
        return torch.stack(values).mean() if values else torch.zeros((), dtype=logits.dtype)
    ce, ground, entropy = mean(ces), mean(bces), mean(ents)
    return ce + lambda_ground * ground + lambda_entropy * entropy, ce, ground, entropy

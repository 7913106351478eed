"""One query at a time, as the formula says."""

import torch


def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    *lead, length, d_k = query.shape
    n_keys, d_v = value.shape[-2:]
    scale = d_k**-0.5 if scale is None else scale
    q = query.reshape(-1, length, d_k)
    k = key.reshape(-1, n_keys, d_k)
    v = value.reshape(-1, n_keys, d_v)
    keep = torch.ones(*lead, length, n_keys, dtype=torch.bool)
    if attn_mask is not None:
        keep = torch.broadcast_to(attn_mask, keep.shape)
    keep = keep.reshape(-1, length, n_keys)
    contexts, weights = [], []
    for i in range(len(q)):
        for t in range(length):
            chosen = keep[i, t].nonzero().squeeze(-1)
            row = q.new_zeros(n_keys)
            if len(chosen):
                picked = torch.softmax(k[i, chosen] @ q[i, t] * scale, dim=0)
                row = row.index_put((chosen,), picked)
            weights.append(row)
            contexts.append(row @ v[i])
    context = torch.stack(contexts).reshape(*lead, length, d_v)
    return context, torch.stack(weights).reshape(*lead, length, n_keys)

"""A callable object; softmax first, mask and renormalisation after."""


class Attention:
    def __call__(self, query, key, value, attn_mask=None, scale=None):
        scale = query.size(-1) ** -0.5 if scale is None else scale
        weights = (query @ key.mT * scale).softmax(-1)
        if attn_mask is not None:
            kept = weights * attn_mask
            weights = kept / kept.sum(-1, keepdim=True).clamp_min(1e-12)
        return [weights @ value, weights]


scaled_dot_product_attention = Attention()

"""nn.MultiheadAttention with its mask turned round."""

class CrossAttention(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError(f"{d_model} channels cannot be shared by {num_heads} heads")
        self.heads = num_heads
        self.inner = nn.MultiheadAttention(d_model, num_heads, batch_first=True)

    def forward(self, text, image, attn_mask=None):
        B, T, N = text.shape[0], text.shape[1], image.shape[1]
        if attn_mask is None:
            return self.inner(text, image, image, average_attn_weights=False)
        allowed = attn_mask.expand(B, self.heads, T, N)
        empty = ~allowed.any(-1, keepdim=True)
        blocked = (~(allowed | empty)).reshape(B * self.heads, T, N)
        _, weights = self.inner(text, image, image, attn_mask=blocked, average_attn_weights=False)
        weights = weights.masked_fill(empty, 0.0)
        D = text.shape[-1]
        wv, bv = self.inner.in_proj_weight[2 * D :], self.inner.in_proj_bias[2 * D :]
        v = F.linear(image, wv, bv).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        return self.inner.out_proj((weights @ v).transpose(1, 2).flatten(2)), weights

class CrossAttentionFusion(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError(f"{num_heads} heads do not divide {d_model}")
        self.attention = nn.MultiheadAttention(d_model, num_heads, batch_first=True)
        nn.init.normal_(self.attention.in_proj_bias, std=0.1)

    def forward(self, query_tokens, context_tokens, context_available=None):
        if context_available is None:
            context_available = torch.ones(context_tokens.shape[:2], dtype=torch.bool)
        context = torch.where(context_available[..., None], context_tokens, 0.0)
        some = context_available.any(-1)
        hide = ~context_available & some[:, None]  # nn.MultiheadAttention: True = masked out
        out, weights = self.attention(query_tokens, context, context, key_padding_mask=hide, average_attn_weights=False)
        weights = weights * some[:, None, None, None]
        return torch.where(some[:, None, None], out, self.attention.out_proj.bias), weights

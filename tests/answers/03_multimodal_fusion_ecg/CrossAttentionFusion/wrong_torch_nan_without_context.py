"""Mistake: nn.MultiheadAttention gives nan where nothing may be attended
Message: softmax over a row of -inf
"""


class CrossAttentionFusion(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"{d_model} {num_heads}")
        self.a = nn.MultiheadAttention(d_model, num_heads, batch_first=True)

    def forward(self, query_tokens, context_tokens, context_available=None):
        m = None if context_available is None else ~context_available
        return self.a(
            query_tokens,
            context_tokens,
            context_tokens,
            key_padding_mask=m,
            average_attn_weights=False,
        )

"""Mistake: key_padding_mask takes True for ignored
Message: is the opposite
"""


class CrossAttentionFusion(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        self.a = nn.MultiheadAttention(d_model, num_heads, batch_first=True)

    def forward(self, query_tokens, context_tokens, context_available=None):
        return self.a(
            query_tokens,
            context_tokens,
            context_tokens,
            key_padding_mask=context_available,
            average_attn_weights=False,
        )

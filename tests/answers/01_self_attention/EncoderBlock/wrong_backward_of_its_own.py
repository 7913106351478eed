"""
Mistake: a backward of its own: in the returned weights the last token counts half as much again.
Message: not its slope
"""


class Unlike(torch.autograd.Function):
    """The value goes through; the gradient comes back changed."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        gradient = gradient.clone()
        gradient[..., -1] *= 1.5
        return gradient


class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.attention = MultiHeadSelfAttention(d_model, num_heads, dropout)
        self.ffn = nn.Sequential(nn.Linear(d_model, d_ff), nn.ReLU(), nn.Linear(d_ff, d_model))
        self.drop = nn.Dropout(dropout)

    def forward(self, x, attn_mask=None):
        attended, weights = self.attention(self.norm1(x), attn_mask)
        x = x + self.drop(attended)
        return x + self.drop(self.ffn(self.norm2(x))), Unlike.apply(weights)

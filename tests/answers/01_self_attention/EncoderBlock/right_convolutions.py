"""Convolutions of width one as feed-forward part; a residual helper."""
# ruff: noqa: F821  (an earlier exercise of the notebook)

from torch import nn


class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0):
        super().__init__()
        self.norms = nn.ModuleDict({"a": nn.LayerNorm(d_model), "b": nn.LayerNorm(d_model)})
        self.heads = MultiHeadSelfAttention(d_model, num_heads, dropout)
        self.wide, self.narrow = nn.Conv1d(d_model, d_ff, 1), nn.Conv1d(d_ff, d_model, 1)
        self.act = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(dropout)

    def feed_forward(self, x):
        return self.narrow(self.act(self.wide(x.mT))).mT

    def forward(self, x, attn_mask=None):
        def residual(x, branch):
            return x + self.drop(branch)

        y, weights = self.heads(self.norms["a"](x), attn_mask)
        x = residual(x, y)
        x = residual(x, self.feed_forward(self.norms["b"](x)))
        return x, weights

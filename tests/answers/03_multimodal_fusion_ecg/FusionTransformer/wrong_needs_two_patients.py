"""Mistake: squeeze drops the batch of one
Message: of shape
"""

class FusionTransformer(nn.Module):
    def __init__(self, widths, d_model, num_heads, n_out):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("num_heads has to divide d_model")
        self.project = nn.ModuleList(nn.Linear(width, d_model) for width in widths)
        self.kind = nn.Parameter(0.5 * torch.randn(len(widths), d_model))
        self.summary = nn.Parameter(0.5 * torch.randn(d_model))
        self.norm = nn.LayerNorm(d_model)
        self.attention = nn.MultiheadAttention(d_model, num_heads, batch_first=True)
        self.head = nn.Sequential(nn.Linear(d_model, d_model), nn.GELU(), nn.Linear(d_model, n_out))

    def forward(self, inputs, available):
        tokens = [self.summary.expand(len(available), -1)]
        for m, x in enumerate(inputs):
            x = x.masked_fill(~available[:, m, None], 0.0)
            tokens.append(self.project[m](x) + self.kind[m])
        tokens = torch.stack(tokens, dim=1)
        missing = F.pad(~available, (1, 0), value=False)
        t = self.norm(tokens)
        read, weights = self.attention(t[:, :1], t, t, key_padding_mask=missing)
        return self.head(tokens[:, 0] + read[:, 0]).squeeze(), weights[:, 0, 1:]

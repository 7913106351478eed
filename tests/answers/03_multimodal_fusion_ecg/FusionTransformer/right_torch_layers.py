"""torch's encoder layer, then a query of its own."""

class FusionTransformer(nn.Module):
    def __init__(self, widths, d_model, num_heads, n_out):
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"d_model {d_model}, num_heads {num_heads}")
        self.project = nn.ModuleList([nn.Sequential(nn.Linear(w, d_model), nn.Tanh()) for w in widths])
        self.embedding = nn.Embedding(len(widths) + 1, d_model)
        self.layer = nn.TransformerEncoderLayer(d_model, num_heads, 2 * d_model, dropout=0.0, batch_first=True)
        self.attention = nn.MultiheadAttention(d_model, num_heads, batch_first=True)
        self.out = nn.Linear(d_model, n_out)

    def forward(self, inputs, available):
        n = available.shape[0]
        zero = torch.zeros((), dtype=inputs[0].dtype)
        parts = [p(torch.where(available[:, [i]], x, zero)) for i, (p, x) in enumerate(zip(self.project, inputs))]
        parts = [p + self.embedding.weight[i] for i, p in enumerate(parts)]
        x = torch.stack([self.embedding.weight[-1].expand(n, -1), *parts], dim=1)
        hide = torch.cat([torch.zeros(n, 1, dtype=torch.bool), ~available], dim=1)
        x = self.layer(x, src_key_padding_mask=hide)
        read, weights = self.attention(x[:, :1], x, x, key_padding_mask=hide, average_attn_weights=False)
        return self.out(read.squeeze(1) + x[:, 0]), weights.mean(dim=1)[:, 0, 1:]

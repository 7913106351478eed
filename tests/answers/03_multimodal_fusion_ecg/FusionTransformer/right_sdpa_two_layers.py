"""Rows of parameters, weights recomputed beside the fused attention; ReLU behind it."""

class FusionTransformer(nn.Module):
    def __init__(self, widths, d_model, num_heads, n_out):
        super().__init__()
        if num_heads < 1 or d_model % num_heads:
            raise ValueError("num_heads must divide d_model")
        self.heads, self.depth = num_heads, 2
        self.maps = nn.ParameterList(nn.Parameter(torch.randn(w, d_model) / w**0.5) for w in widths)
        self.places = nn.Parameter(torch.zeros(len(widths), d_model))
        self.summary = nn.Parameter(torch.ones(1, d_model))
        self.qkv = nn.ModuleList(nn.Linear(d_model, 3 * d_model) for _ in range(2))
        self.mix = nn.ModuleList(nn.Linear(d_model, d_model) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(2))
        self.read = nn.Linear(d_model, n_out)

    def forward(self, inputs, available):
        n, m = available.shape
        x = x0 = torch.stack(
            [torch.where(available[:, i, None], v, v.new_zeros(())) @ self.maps[i] + self.places[i] for i, v in enumerate(inputs)],
            dim=1,
        )
        x = torch.cat([self.summary.expand(n, 1, -1), x], dim=1)
        seen = torch.cat([available.new_ones(n, 1), available], dim=1)[:, None, None, :]
        for norm, qkv, mix in zip(self.norms, self.qkv, self.mix):
            q, k, v = qkv(norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
            x = x + F.relu(mix(out.transpose(1, 2).flatten(2)))
        scores = (q[:, :, :1] @ k.transpose(-1, -2)) / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~seen, float("-inf")).softmax(-1).mean(1)[:, 0, 1:]
        return self.read(x[:, 0]), weights

"""Mistake: Half of what is read out is detached, so that it learns half as fast as it should.
Message: is not its slope
"""


class FusionTransformer(nn.Module):
    """One token a modality, and a summary token that attends to what is there.

    Shapes: inputs M times (N, widths[m]), available (N, M) bool -> logits (N, n_out), weights (N, M).
    """

    def __init__(self, widths: Sequence[int], d_model: int, num_heads: int, n_out: int) -> None:
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"d_model={d_model} is not divisible by num_heads={num_heads}")
        self.project = nn.ModuleList(nn.Linear(width, d_model) for width in widths)
        self.kind = nn.Parameter(0.5 * torch.randn(len(widths), d_model))
        self.summary = nn.Parameter(0.5 * torch.randn(d_model))
        self.norm = nn.LayerNorm(d_model)
        self.attention = nn.MultiheadAttention(d_model, num_heads, batch_first=True)
        self.head = nn.Sequential(
            nn.LayerNorm(d_model),
            nn.Linear(d_model, 2 * d_model),
            nn.GELU(),
            nn.Linear(2 * d_model, n_out),
        )

    def forward(
        self, inputs: Sequence[torch.Tensor], available: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (N, n_out) and the summary token's weights (N, M)."""
        tokens = [self.summary.expand(len(available), -1)]
        for m, (project, x) in enumerate(zip(self.project, inputs, strict=True)):
            x = x.masked_fill(~available[:, m, None], 0.0)  # before the projection
            tokens.append(project(x) + self.kind[m])
        tokens = torch.stack(tokens, dim=1)  # (N, M + 1, D)
        missing = F.pad(~available, (1, 0), value=False)  # the summary is always there
        normed = self.norm(tokens)
        read, weights = self.attention(normed[:, :1], normed, normed, key_padding_mask=missing)
        summary = tokens[:, 0] + read[:, 0]
        return self.head(summary / 2 + (summary / 2).detach()), weights[:, 0, 1:]

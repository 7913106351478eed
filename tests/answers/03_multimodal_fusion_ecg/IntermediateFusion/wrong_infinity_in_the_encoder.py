"""Mistake: nan_to_num leaves huge numbers, whose gradients overflow.
Message: not finite
"""


class IntermediateFusion(nn.Module):
    """Encode each modality, fuse the hidden vectors, go on with a non-linear head.

    Shapes: inputs M times (B, d_m), available (B, M) bool -> logits (B, num_classes).
    """

    def __init__(self, input_dims: Sequence[int], hidden_dim: int, num_classes: int) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(
            nn.Sequential(nn.Linear(width, hidden_dim), nn.GELU(), nn.LayerNorm(hidden_dim))
            for width in input_dims
        )
        self.head = nn.Sequential(
            nn.Linear(len(input_dims) * hidden_dim, hidden_dim),
            nn.GELU(),
            nn.Linear(hidden_dim, num_classes),
        )

    def forward(
        self, inputs: Sequence[torch.Tensor], available: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Logits (B, num_classes) from M tensors (B, d_m)."""
        hidden = []
        for m, (encoder, x) in enumerate(zip(self.encoders, inputs, strict=True)):
            if available is None:
                hidden.append(encoder(x))
                continue
            missing = ~available[:, m, None]  # (B, 1)
            # the input is replaced too: a gradient through nan is nan, whatever is masked later
            hidden.append(encoder(torch.nan_to_num(x)).masked_fill(missing, 0.0))
        return self.head(torch.cat(hidden, dim=-1))
    

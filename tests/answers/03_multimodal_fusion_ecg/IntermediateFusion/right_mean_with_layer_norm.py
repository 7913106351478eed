class IntermediateFusion(nn.Module):
    """Mean of what is there, with how much is there as a further input, LayerNorm, ReLU."""

    def __init__(self, input_dims, hidden_dim, num_classes):
        super().__init__()
        self.encoders = nn.ModuleList(nn.Linear(d, hidden_dim) for d in input_dims)
        self.head = nn.Sequential(
            nn.LayerNorm(hidden_dim),
            nn.Linear(hidden_dim, 3 * hidden_dim),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(3 * hidden_dim, num_classes),
        )

    def forward(self, inputs, available=None):
        first = inputs[0]
        if available is None:
            available = torch.ones(len(first), len(inputs), dtype=torch.bool, device=first.device)
        hidden = torch.stack(
            [
                encoder(torch.nan_to_num(x, posinf=0.0, neginf=0.0) * available[:, [m]].to(x.dtype))
                for m, (encoder, x) in enumerate(zip(self.encoders, inputs))
            ],
            dim=1,
        )
        weight = available.to(first.dtype)[..., None]
        mean = (torch.nn.functional.gelu(hidden) * weight).sum(1) / weight.sum(1).clamp(min=1)
        return self.head(mean)

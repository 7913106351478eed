class IntermediateFusion(nn.Module):
    """Gated product: the modalities multiply, which is non-linear by itself, then a small network."""

    def __init__(self, input_dims, hidden_dim, num_classes):
        super().__init__()
        self.encoders = nn.ModuleList(nn.Linear(d, hidden_dim) for d in input_dims)
        self.deep = nn.Linear(hidden_dim, hidden_dim)
        self.out = nn.Linear(hidden_dim, num_classes)

    def forward(self, inputs, available=None):
        fused = torch.ones(inputs[0].shape[0], self.deep.in_features, dtype=inputs[0].dtype)
        for m, encoder in enumerate(self.encoders):
            x = inputs[m]
            if available is not None:
                gone = ~available[:, m].unsqueeze(1)
                x = torch.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0).masked_fill(gone, 0.0)
                h = torch.where(gone, torch.ones_like(fused), 1 + torch.tanh(encoder(x)))
            else:
                h = 1 + torch.tanh(encoder(x))
            fused = fused * h
        return self.out(F.relu(self.deep(fused)))

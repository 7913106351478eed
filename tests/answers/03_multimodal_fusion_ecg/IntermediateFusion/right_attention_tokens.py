class IntermediateFusion(nn.Module):
    """Modalities as tokens, a learned query attends to those that are there."""

    def __init__(self, input_dims, hidden_dim, num_classes):
        super().__init__()
        self.maps = nn.ModuleList(nn.Linear(d, hidden_dim) for d in input_dims)
        self.kind = nn.Parameter(torch.randn(len(input_dims), hidden_dim) * 0.5)
        self.query = nn.Parameter(torch.randn(hidden_dim) * hidden_dim**-0.5)
        self.head = nn.Sequential(nn.Linear(hidden_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, num_classes))

    def forward(self, inputs, available=None):
        if available is None:
            available = torch.ones(inputs[0].shape[0], len(inputs)).bool()
        tokens = []
        for m, layer in enumerate(self.maps):
            tokens.append(layer(inputs[m].masked_fill(~available[:, [m]], 0)) + self.kind[m])
        tokens = torch.stack(tokens, 1)  # (B, M, D)
        scores = (tokens @ self.query).masked_fill(~available, -1e9)
        weights = scores.softmax(-1) * available
        return self.head((weights[..., None] * tokens).sum(1))

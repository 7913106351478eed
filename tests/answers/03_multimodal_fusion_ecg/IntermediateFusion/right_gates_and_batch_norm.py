class IntermediateFusion(nn.Module):
    """Gated sum of the encoders; batch normalisation, left out for a single patient."""

    def __init__(self, input_dims, hidden_dim, num_classes):
        super().__init__()
        self.encoders = nn.ModuleList([nn.Linear(d, hidden_dim) for d in input_dims])
        self.gates = nn.ModuleList([nn.Linear(d, hidden_dim) for d in input_dims])
        self.norm = nn.BatchNorm1d(hidden_dim)
        self.hidden = nn.Linear(hidden_dim, hidden_dim)
        self.out = nn.Linear(hidden_dim, num_classes)

    def forward(self, inputs, available=None):
        batch = inputs[0].shape[0]
        if available is None:
            available = torch.ones(batch, len(inputs), dtype=torch.bool)
        total = 0.0
        for m, x in enumerate(inputs):
            there = available[:, m].unsqueeze(1)
            x = torch.where(there, x, torch.zeros_like(x))
            h = torch.tanh(self.encoders[m](x)) * torch.sigmoid(self.gates[m](x))
            total = total + h * there.to(h.dtype)
        if batch > 1 or not self.training:
            total = self.norm(total)
        return self.out(torch.relu(self.hidden(total)))

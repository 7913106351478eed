"""Mistake: a float32 constant breaks double precision
Message: RuntimeError: mat1 and mat2 must
"""

class IntermediateFusion(nn.Module):
    def __init__(self, input_dims, hidden_dim, num_classes):
        super().__init__()
        self.encoders = nn.ModuleList(nn.Linear(d, hidden_dim) for d in input_dims)
        self.hidden_dim = hidden_dim
        self.head = nn.Sequential(nn.Linear(len(input_dims) * hidden_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, num_classes))

    def forward(self, inputs, available=None):
        fused = torch.zeros(len(inputs[0]), len(inputs) * self.hidden_dim)
        for m, encoder in enumerate(self.encoders):
            part = slice(m * self.hidden_dim, (m + 1) * self.hidden_dim)
            there = slice(None) if available is None else available[:, m]
            fused[there, part] = torch.relu(encoder(inputs[m][there])).float()
        return self.head(fused)

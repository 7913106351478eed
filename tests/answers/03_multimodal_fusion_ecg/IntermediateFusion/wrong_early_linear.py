"""Mistake: everything joined, one linear layer
Message: only add up
"""

class IntermediateFusion(nn.Module):
    def __init__(self, input_dims, hidden_dim, num_classes):
        super().__init__()
        self.encoders = nn.ModuleList(nn.Sequential(nn.Linear(d, hidden_dim), nn.ReLU()) for d in input_dims)
        self.head = nn.Linear(hidden_dim, num_classes)

    def forward(self, inputs, available=None):
        fused = 0
        for m, encoder in enumerate(self.encoders):
            x = inputs[m]
            if available is not None:
                x = x.masked_fill(~available[:, m, None], 0.0)
            fused = fused + encoder(x)
        return self.head(fused)

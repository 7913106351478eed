"""Mistake: only two modalities
Message: after the fusion stands a linear
"""

class IntermediateFusion(nn.Module):
    def __init__(self, input_dims, hidden_dim, num_classes):
        super().__init__()
        self.a = nn.Linear(input_dims[0], hidden_dim)
        self.b = nn.Linear(input_dims[1], hidden_dim)
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(2 * hidden_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, num_classes))

    def forward(self, inputs, available=None):
        x, y = inputs[0], inputs[1]
        if available is not None:
            x = x.masked_fill(~available[:, 0, None], 0.0)
            y = y.masked_fill(~available[:, 1, None], 0.0)
        return self.head(torch.cat([self.a(x), self.b(y)], -1))

"""
Mistake: one encoder serves all modalities, whose inputs are filled up to the widest.
Message: one encoder is used for all
"""


class IntermediateFusion(nn.Module):
    def __init__(self, input_dims, hidden_dim, num_classes):
        super().__init__()
        self.width = max(input_dims)
        self.encoder = nn.Sequential(nn.Linear(self.width, hidden_dim), nn.GELU())
        self.head = nn.Sequential(
            nn.Linear(hidden_dim, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, num_classes)
        )

    def forward(self, inputs, available=None):
        total = 0
        for m, x in enumerate(inputs):
            there = torch.ones(len(x), 1, dtype=torch.bool)
            if available is not None:
                there = available[:, m, None]
            filled = F.pad(x.masked_fill(~there, 0.0), (0, self.width - x.shape[1]))
            total = total + self.encoder(filled).masked_fill(~there, 0.0)
        return self.head(total)

"""Mistake: early fusion that fills nan with zero and ignores available
Message: not used, or only where values are nan
"""


class IntermediateFusion(nn.Module):
    def __init__(self, input_dims, hidden_dim, num_classes):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(sum(input_dims), hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, num_classes)
        )

    def forward(self, inputs, available=None):
        x = torch.cat(inputs, dim=-1)
        return self.net(torch.nan_to_num(x))

"""Mistake: the only non-linearity acts on each modality alone
Message: only add up
"""


class IntermediateFusion(nn.Module):
    def __init__(self, input_dims, hidden_dim, num_classes):
        super().__init__()
        self.enc = nn.ModuleList([nn.Linear(d, hidden_dim) for d in input_dims])
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(hidden_dim * len(input_dims), num_classes))

    def forward(self, inputs, available=None):
        h = []
        for m, x in enumerate(inputs):
            if available is not None:
                x = x.masked_fill(~available[:, m : m + 1], 0.0)
            h.append(self.enc[m](x))
        return self.head(torch.cat(h, -1))

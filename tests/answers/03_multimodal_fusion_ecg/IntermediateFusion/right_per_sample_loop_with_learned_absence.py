class IntermediateFusion(nn.Module):
    def __init__(self, dims, width, classes):
        super().__init__()
        self.m = nn.ModuleDict({str(i): nn.Sequential(nn.Linear(d, width), nn.SiLU(), nn.Linear(width, width)) for i, d in enumerate(dims)})
        self.absent = nn.ParameterList([nn.Parameter(0.1 * torch.randn(width)) for _ in dims])
        self.head = nn.Sequential(nn.LayerNorm(len(dims) * width), nn.Linear(len(dims) * width, width), nn.SiLU(), nn.Dropout(0.1), nn.Linear(width, classes))

    def forward(self, inputs, available=None):
        rows = []
        for b in range(inputs[0].shape[0]):
            parts = []
            for i, x in enumerate(inputs):
                there = available is None or bool(available[b, i])
                parts.append(self.m[str(i)](x[b]) if there else self.absent[i])
            rows.append(torch.cat(parts))
        return self.head(torch.stack(rows))

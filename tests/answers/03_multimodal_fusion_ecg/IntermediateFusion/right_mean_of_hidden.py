class IntermediateFusion(nn.Module):
    def __init__(self, input_dims, hidden_dim, num_classes):
        super().__init__()
        self.enc = nn.ModuleList([nn.Linear(d, hidden_dim) for d in input_dims])
        self.out1 = nn.Linear(hidden_dim, hidden_dim)
        self.out2 = nn.Linear(hidden_dim, num_classes)

    def forward(self, inputs, available=None):
        if available is None:
            available = torch.ones(len(inputs[0]), len(inputs), dtype=torch.bool)
        total = 0
        for m, x in enumerate(inputs):
            x = torch.where(available[:, m : m + 1], x, torch.zeros_like(x))
            total = total + torch.relu(self.enc[m](x)) * available[:, m : m + 1]
        count = available.sum(1, keepdim=True).clamp(min=1)
        return self.out2(torch.tanh(self.out1(total / count)))

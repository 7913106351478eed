"""
Mistake: a backward of its own: the first encoder learns a tenth faster.
Message: not its slope
"""


class Unlike(torch.autograd.Function):
    """The value goes through; the gradient comes back changed."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return 1.1 * gradient


class IntermediateFusion(nn.Module):
    def __init__(self, input_dims, hidden_dim, num_classes):
        super().__init__()
        self.encoders = nn.ModuleList(nn.Linear(width, hidden_dim) for width in input_dims)
        self.head = nn.Sequential(nn.GELU(), nn.Linear(hidden_dim, num_classes))

    def forward(self, inputs, available=None):
        total = 0
        for m, (encoder, x) in enumerate(zip(self.encoders, inputs, strict=True)):
            there = torch.ones(len(x), 1, dtype=torch.bool)
            if available is not None:
                there = available[:, m, None]
            hidden = encoder(x.masked_fill(~there, 0.0)).masked_fill(~there, 0.0)
            total = total + (Unlike.apply(hidden) if m == 0 else hidden)
        return self.head(total)

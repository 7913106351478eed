"""Attention by hand; the summary does not attend to itself."""

class FusionTransformer(nn.Module):
    def __init__(self, widths, d_model, num_heads, n_out):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("heads")
        self.h = num_heads
        self.tokens = nn.ModuleList(nn.Linear(w, d_model, bias=False) for w in widths)
        self.kinds = nn.ParameterList(nn.Parameter(torch.randn(d_model) * 0.3) for _ in widths)
        self.cls = nn.Parameter(torch.randn(d_model) * 0.3)
        self.q, self.k, self.v, self.o = (nn.Linear(d_model, d_model) for _ in range(4))
        self.last = nn.Linear(d_model, n_out)

    def split(self, x):
        return x.reshape(*x.shape[:-1], self.h, -1).transpose(1, 2)

    def forward(self, inputs, available):
        x = []
        for m, (value, f, kind) in enumerate(zip(inputs, self.tokens, self.kinds)):
            there = available[:, m : m + 1]
            x.append(f(torch.where(there, value, 0.0)) + kind)
        x = torch.stack(x, 1)
        n = len(x)
        q = self.split(self.q(self.cls).expand(n, 1, -1))
        k, v = self.split(self.k(x)), self.split(self.v(x))
        score = q @ k.transpose(-1, -2) / k.shape[-1] ** 0.5
        gone = ~available[:, None, None, :]
        w = torch.softmax(score.masked_fill(gone, -1e9), -1).masked_fill(gone, 0.0)
        read = self.o((w @ v).transpose(1, 2).reshape(n, 1, -1))[:, 0]
        return self.last(torch.relu(read + self.cls)), w.mean(1)[:, 0]

class IntermediateFusion(nn.Module):
    """A learned query attends to one token a modality; a token that is always there comes first."""

    def __init__(self, input_dims, hidden_dim, num_classes):
        super().__init__()
        self.encoders = nn.ModuleList(
            nn.Sequential(nn.Linear(d, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, hidden_dim))
            for d in input_dims
        )
        self.query = nn.Parameter(torch.randn(1, 1, hidden_dim))
        self.nobody = nn.Parameter(torch.randn(1, 1, hidden_dim))
        self.attention = nn.MultiheadAttention(hidden_dim, 1, batch_first=True)
        self.norm = nn.LayerNorm(hidden_dim)
        self.head = nn.Sequential(
            nn.Linear(hidden_dim, 2 * hidden_dim), nn.SiLU(), nn.Linear(2 * hidden_dim, num_classes)
        )

    def forward(self, inputs, available=None):
        n = len(inputs[0])
        if available is None:
            available = torch.ones(n, len(inputs), dtype=torch.bool, device=inputs[0].device)
        tokens = [self.nobody.expand(n, 1, -1)]
        for m, (encode, x) in enumerate(zip(self.encoders, inputs)):
            tokens.append(encode(x.masked_fill(~available[:, m : m + 1], 0)).unsqueeze(1))
        always = torch.zeros(n, 1, dtype=torch.bool, device=available.device)
        ignored = torch.cat([always, ~available], dim=1)
        tokens = torch.cat(tokens, dim=1)
        query = self.query.expand(n, 1, -1)
        out, _ = self.attention(query, tokens, tokens, key_padding_mask=ignored)
        return self.head(self.norm(out.squeeze(1) + self.query[0]))

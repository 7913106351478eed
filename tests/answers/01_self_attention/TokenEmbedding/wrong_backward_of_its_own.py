"""
Mistake: a backward of its own: the table learns in the opposite direction.
Message: gradient
"""


class Unlike(torch.autograd.Function):
    """The value goes through; the gradient comes back changed."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return -gradient


class TokenEmbedding(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, pad_id=0):
        super().__init__()
        self.table = nn.Embedding(vocab_size, d_model, padding_idx=pad_id)
        nn.init.normal_(self.table.weight, std=(2 * d_model) ** -0.5)
        with torch.no_grad():
            self.table.weight[pad_id] = 0
        self.register_buffer("code", sinusoidal_positional_encoding(max_len, d_model))

    def forward(self, token_ids):
        scale = self.table.embedding_dim**0.5
        return scale * Unlike.apply(self.table(token_ids)) + self.code[: token_ids.shape[1]]

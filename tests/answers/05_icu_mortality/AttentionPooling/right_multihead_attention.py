"""nn.MultiheadAttention with a query that starts at zero."""

class AttentionPooling(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError("heads must divide the width")
        self.q = nn.Parameter(torch.zeros(1, 1, d_model))
        self.mha = nn.MultiheadAttention(d_model, num_heads, batch_first=True)

    def forward(self, events, mask):
        empty = ~mask.any(dim=1)
        ignore = ~mask
        ignore = ignore & ~empty[:, None]          # an empty stay may look everywhere, then is cleared
        safe = torch.where(empty[:, None, None], torch.zeros_like(events), events)
        out, w = self.mha(self.q.expand(len(events), -1, -1), safe, safe, key_padding_mask=ignore,
                          average_attn_weights=False)
        w = w.squeeze(2).masked_fill(empty[:, None, None], 0.0)
        out = out.squeeze(1).masked_fill(empty[:, None], 0.0)
        return out, w

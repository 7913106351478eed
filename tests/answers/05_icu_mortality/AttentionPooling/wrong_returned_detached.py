"""Mistake: the returned weights are detached
Message: detached
"""

class AttentionPooling(nn.Module):
    """Pool a sequence by a learned query.  (B, T, d_model), (B, T) -> (B, d_model), (B, num_heads, T)."""

    def __init__(self, d_model: int, num_heads: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        if d_model % num_heads:
            raise ValueError(f"d_model={d_model} is not divisible by num_heads={num_heads}")
        self.num_heads = num_heads
        self.query = nn.Parameter(torch.randn(num_heads, d_model // num_heads))  # (H, d)
        self.key, self.value, self.out = (nn.Linear(d_model, d_model) for _ in range(3))
        ### END SOLUTION

    def forward(self, x: torch.Tensor, is_event: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """x (B, T, d_model), is_event (B, T) bool -> pooled (B, d_model), weights (B, H, T)."""
        ### BEGIN SOLUTION
        batch, length, d_model = x.shape
        heads = (batch, length, self.num_heads, -1)
        key, value = self.key(x).view(heads), self.value(x).view(heads)  # (B, T, H, d)
        scores = torch.einsum("hd,bthd->bht", self.query, key) / key.shape[-1] ** 0.5
        keep = is_event[:, None]  # (B, 1, T)
        scores = scores.masked_fill(~keep, torch.finfo(x.dtype).min)
        weights = scores.softmax(-1) * keep  # a row without events becomes zeros
        pooled = torch.einsum("bht,bthd->bhd", weights, value).reshape(batch, d_model)
        return self.out(pooled), weights.detach()
        ### END SOLUTION
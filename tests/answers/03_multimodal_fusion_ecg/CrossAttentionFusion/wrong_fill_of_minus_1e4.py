"""
Mistake: a score below -1e4 loses against what fills masked places.
Message: fill of -1e4
"""

class CrossAttentionFusion(nn.Module):
    """Tokens of one modality attend to tokens of another.

    Shapes: query_tokens (B, T, D), context_tokens (B, S, D), context_available (B, S) bool
    -> out (B, T, D), weights (B, H, T, S).
    """

    def __init__(self, d_model: int, num_heads: int) -> None:
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"d_model={d_model} is not divisible by num_heads={num_heads}")
        self.num_heads = num_heads
        maps = (nn.Linear(d_model, d_model) for _ in range(4))
        self.query, self.key, self.value, self.output = maps

    def forward(
        self,
        query_tokens: torch.Tensor,
        context_tokens: torch.Tensor,
        context_available: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Attended context (B, T, D) and weights (B, H, T, S)."""
        if context_available is None:
            context_available = torch.ones(
                context_tokens.shape[:2], dtype=torch.bool, device=context_tokens.device
            )
        context = context_tokens.masked_fill(~context_available[..., None], 0.0)  # (B, S, D)
        maps = ((self.query, query_tokens), (self.key, context), (self.value, context))
        heads = (self.num_heads, -1)
        q, k, v = (f(x).unflatten(-1, heads).transpose(1, 2) for f, x in maps)  # (B, H, ., d)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # (B, H, T, S)
        there = context_available[:, None, None, :]
        # a finite low score keeps a row without any context free of nan
        weights = scores.masked_fill(~there, -1e4).softmax(dim=-1)
        weights = weights.masked_fill(~there, 0.0)
        return self.output((weights @ v).transpose(1, 2).flatten(2)), weights

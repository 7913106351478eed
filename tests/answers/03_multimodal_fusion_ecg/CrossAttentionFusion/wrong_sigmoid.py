"""Mistake: sigmoid instead of softmax
Message: no sigmoid
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
        self.query, self.key, self.value, self.output = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(
        self,
        query_tokens: torch.Tensor,
        context_tokens: torch.Tensor,
        context_available: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Attended context for every query token, and the weights of every head."""
        if context_available is None:
            context_available = torch.ones(
                context_tokens.shape[:2], dtype=torch.bool, device=context_tokens.device
            )
        context = context_tokens.masked_fill(~context_available[..., None], 0.0)  # (B, S, D)
        heads = (self.num_heads, -1)
        q = self.query(query_tokens).unflatten(-1, heads).transpose(1, 2)  # (B, H, T, d)
        k = self.key(context).unflatten(-1, heads).transpose(1, 2)  # (B, H, S, d)
        v = self.value(context).unflatten(-1, heads).transpose(1, 2)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # (B, H, T, S)
        there = context_available[:, None, None, :]
        # a finite low score keeps a row without context free of nan; its weights become zero
        weights = scores.masked_fill(~there, torch.finfo(scores.dtype).min).sigmoid()
        weights = weights.masked_fill(~there, 0.0)
        return self.output((weights @ v).transpose(1, 2).flatten(2)), weights
        ### END SOLUTION

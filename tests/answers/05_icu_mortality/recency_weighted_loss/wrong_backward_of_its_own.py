"""
Mistake: a backward of its own: recent events learn as the oldest do.
Message: gradient
"""


class Unlike(torch.autograd.Function):
    """The value goes through; the gradient comes back changed."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient.flip(1)


def recency_weighted_loss(step_logits, outcome, minutes_to_window_end, is_event, half_life):
    dtype = step_logits.dtype
    logits = Unlike.apply(step_logits.masked_fill(~is_event, 0)).masked_fill(~is_event, 0)
    target = outcome.to(dtype)[:, None].expand_as(logits)
    losses = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    power = (minutes_to_window_end / -half_life).masked_fill(~is_event, -torch.inf)
    top = power.max(dim=1, keepdim=True).values
    weights = torch.exp2(power - top.masked_fill(top == -torch.inf, 0)).to(dtype)
    has_event = is_event.any(1)
    total = weights.sum(1).masked_fill(~has_event, 1)
    return ((weights * losses).sum(1) / total).sum() / has_event.sum().clamp(min=1)

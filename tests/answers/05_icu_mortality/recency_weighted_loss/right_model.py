def recency_weighted_loss(
    step_logits: torch.Tensor,
    outcome: torch.Tensor,
    minutes_to_window_end: torch.Tensor,
    is_event: torch.Tensor,
    half_life: float,
) -> torch.Tensor:
    """Mean over stays of the recency-weighted cross-entropy.  (B, T), (B,), (B, T), (B, T) -> ()."""
    ### BEGIN SOLUTION
    dtype = step_logits.dtype
    logits = step_logits.masked_fill(~is_event, 0)
    target = outcome.to(dtype)[:, None].expand_as(logits)
    losses = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    power = (minutes_to_window_end / -half_life).masked_fill(~is_event, -torch.inf)
    top = power.max(dim=1, keepdim=True).values  # weights relative to the latest event
    weights = torch.exp2(power - top.masked_fill(top == -torch.inf, 0)).to(dtype)
    has_event = is_event.any(1)
    total = weights.sum(1).masked_fill(~has_event, 1)
    return ((weights * losses).sum(1) / total).sum() / has_event.sum().clamp(min=1)
    ### END SOLUTION
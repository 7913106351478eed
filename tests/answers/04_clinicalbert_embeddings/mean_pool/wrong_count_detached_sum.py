"""Mistake: Half of the gradient is lost.
Message: gradient
"""


def mean_pool(last_hidden_state: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    """Mean over real tokens.  ``(B, T, D)``, ``(B, T)`` -> ``(B, D)``."""
    keep = attention_mask.bool().unsqueeze(-1).to(last_hidden_state.dtype)  # (B, T, 1)
    x = (last_hidden_state + last_hidden_state.detach()) / 2
    return (x * keep).sum(1) / keep.sum(1).clamp(min=1)

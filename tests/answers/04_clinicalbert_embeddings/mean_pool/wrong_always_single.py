"""Mistake: The result is single precision whatever the states are.
Message: dtype
"""


def mean_pool(last_hidden_state: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    """Mean over real tokens.  ``(B, T, D)``, ``(B, T)`` -> ``(B, D)``."""
    keep = attention_mask.bool().unsqueeze(-1).float()  # (B, T, 1)
    return (last_hidden_state * keep).sum(1) / keep.sum(1).clamp(min=1)

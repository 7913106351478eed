"""Mistake: A frozen model is unfrozen.
Message: The model is not as it was
"""


def input_embeddings(model: nn.Module, input_ids: torch.Tensor) -> torch.Tensor:
    """Input of the first block.  input_ids ``(B, T)`` -> ``(B, T, D)``."""
    layer = model.embeddings
    layer.requires_grad_(True)
    words = layer.word_embeddings.weight[input_ids]  # (B, T, D)
    positions = layer.position_embeddings.weight[: input_ids.shape[1]]  # (T, D)
    segment = layer.token_type_embeddings.weight[0]  # (D,)
    return layer.LayerNorm(words + positions + segment)

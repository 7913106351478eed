"""One row at a time."""

import torch


def masked_mean_pool(x: torch.Tensor, is_token: torch.Tensor) -> torch.Tensor:
    rows = []
    for row, keep in zip(x, is_token):
        rows.append(row[keep].mean(0) if keep.any() else row.new_zeros(row.shape[-1]))
    return torch.stack(rows)

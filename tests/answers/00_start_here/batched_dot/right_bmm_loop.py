"""One pair of matrices at a time."""

import torch


def batched_dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.stack([x @ y.T for x, y in zip(a, b)])

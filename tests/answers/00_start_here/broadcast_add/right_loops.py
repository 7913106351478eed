"""Two loops."""

import torch


def broadcast_add(rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    out = torch.zeros(len(rows), len(columns), dtype=rows.dtype)
    for t in range(len(rows)):
        for s in range(len(columns)):
            out[t, s] = rows[t] + columns[s]
    return out

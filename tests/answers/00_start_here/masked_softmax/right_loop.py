"""Row by row."""

import torch


def masked_softmax(scores, mask):
    rows = []
    for row, keep in zip(scores.reshape(-1, scores.shape[-1]), mask.reshape(-1, mask.shape[-1])):
        out = torch.zeros_like(row)
        if keep.any():
            out = out.masked_scatter(keep, torch.softmax(row[keep], 0))
        rows.append(out)
    return torch.stack(rows).reshape(scores.shape)

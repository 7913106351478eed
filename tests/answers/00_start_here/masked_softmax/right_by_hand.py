"""exp, times mask, over the sum."""

import torch


def masked_softmax(scores, mask):
    top = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).amax(-1, keepdim=True)
    raised = torch.exp((scores - top).clamp(max=0)) * mask
    return raised / raised.sum(-1, keepdim=True).clamp(min=1e-9)

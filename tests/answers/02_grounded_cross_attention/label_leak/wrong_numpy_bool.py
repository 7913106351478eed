"""Mistake: a bool of NumPy is returned
Message: numpy.bool
"""

import numpy as np
import torch


def label_leak(model, tokens, images):
    mode = model.training
    model.eval()
    found = False
    try:
        with torch.no_grad():
            first = model(tokens, images)[0]
            for s in range(1, tokens.shape[1]):
                other = tokens.clone()
                other[:, s] = (other[:, s] + 1) % first.shape[-1]
                change = (model(other, images)[0] - first)[:, :s].abs().numpy()
                found = found or np.any(change > 1e-5 * first.abs().max().item())
    finally:
        model.train(mode)
    return np.bool_(found)

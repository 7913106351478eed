"""Mistake: the mode is put back only when nothing is raised
Message: finally
"""

import torch


def label_leak(model, tokens, images):
    mode = model.training
    model.eval()
    with torch.no_grad():
        first = model(tokens, images)[0]
        limit = 1e-5 * first.abs().max()
        leaks = False
        for s in range(1, tokens.shape[1]):
            other = tokens.clone()
            other[:, s] = (other[:, s] + 1) % first.shape[-1]
            change = (model(other, images)[0] - first)[:, :s].abs()
            leaks = leaks or bool((change > limit).any())
    model.train(mode)
    return leaks

"""Mistake: the logits are made absolute in place and compared with those that come later
Message: stay as they are
"""

import torch


def label_leak(model, tokens, images):
    mode = model.training
    model.eval()
    try:
        return search(model, tokens, images)
    finally:
        model.train(mode)


@torch.no_grad()
def search(model, tokens, images):
    first = model(tokens, images)[0]
    limit = 1e-5 * first.abs_().max()
    for s in range(1, tokens.shape[1]):
        other = tokens.clone()
        other[:, s] = (other[:, s] + 1) % first.shape[-1]
        change = (model(other, images)[0] - first)[:, :s].abs()
        if (change > limit).any():
            return True
    return False

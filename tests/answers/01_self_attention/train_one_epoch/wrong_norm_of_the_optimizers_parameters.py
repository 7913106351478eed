"""Mistake: the norm is that of the parameters that the optimizer holds
Message: all parameters of the model
"""

import torch
from torch import nn


def train_one_epoch(model, batches, optimizer, loss_fn, max_norm=1.0):
    model.train()
    losses, sizes = [], []
    for tokens, labels in batches:
        optimizer.zero_grad()
        loss = loss_fn(model(tokens)[0], labels)
        loss.backward()
        nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], max_norm)
        optimizer.step()
        losses.append(loss.item())
        sizes.append(len(labels))
    if not sizes:
        raise ValueError("no batch came")
    return sum(n * x for n, x in zip(sizes, losses)) / sum(sizes)

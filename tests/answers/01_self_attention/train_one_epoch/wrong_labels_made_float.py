"""Mistake: the labels reach the loss as floats
Message: hand the labels on
"""

import torch
from torch import nn


def train_one_epoch(model, batches, optimizer, loss_fn, max_norm=1.0):
    model.train()
    losses, sizes = [], []
    for tokens, labels in batches:
        optimizer.zero_grad()
        loss = loss_fn(model(tokens)[0], labels.to(torch.float32) if labels.dtype == torch.int64 else labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        losses.append(loss.item())
        sizes.append(len(labels))
    if not sizes:
        raise ValueError("no batch came")
    return sum(n * x for n, x in zip(sizes, losses)) / sum(sizes)

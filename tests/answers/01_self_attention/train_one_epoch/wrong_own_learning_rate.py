"""Mistake: steps by hand with a learning rate of its own.
Message: optimizer
"""

import torch
from torch import nn


def train_one_epoch(model, batches, optimizer, loss_fn, max_norm=1.0):
    model.train()
    total, n_samples = 0.0, 0
    for tokens, labels in batches:
        optimizer.zero_grad()
        logits, _ = model(tokens)
        loss = loss_fn(logits, labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.1 * p.grad
        total += loss.item() * len(labels)
        n_samples += len(labels)
    if n_samples == 0:
        raise ValueError("no batches: there is nothing to train on")
    return total / n_samples

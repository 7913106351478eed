"""Mistake: every batch weighs as much as the first.
Message: batch size
"""

from torch import nn


def train_one_epoch(model, batches, optimizer, loss_fn, max_norm=1.0):
    model.train()
    total, n_samples, size = 0.0, 0, None
    for tokens, labels in batches:
        optimizer.zero_grad()
        logits, _ = model(tokens)
        loss = loss_fn(logits, labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        size = size or len(labels)
        total += loss.item() * size
        n_samples += size
    if n_samples == 0:
        raise ValueError("no batches: there is nothing to train on")
    return total / n_samples

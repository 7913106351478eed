"""Mistake: one step at the end of the epoch.
Message: step
"""

from torch import nn


def train_one_epoch(model, batches, optimizer, loss_fn, max_norm=1.0):
    model.train()
    total, n_samples = 0.0, 0
    optimizer.zero_grad()
    for tokens, labels in batches:
        logits, _ = model(tokens)
        loss = loss_fn(logits, labels)
        loss.backward()
        total += loss.item() * len(labels)
        n_samples += len(labels)
    if n_samples == 0:
        raise ValueError("no batches: there is nothing to train on")
    nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return total / n_samples

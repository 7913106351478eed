"""Mistake: clips after the step.
Message: clip
"""

from torch import nn


def train_one_epoch(model, batches, optimizer, loss_fn, max_norm=1.0):
    model.train()
    total, n_samples = 0.0, 0
    for tokens, labels in batches:
        optimizer.zero_grad()
        logits, _ = model(tokens)
        loss = loss_fn(logits, labels)
        loss.backward()
        optimizer.step()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        total += loss.item() * len(labels)
        n_samples += len(labels)
    if n_samples == 0:
        raise ValueError("no batches: there is nothing to train on")
    return total / n_samples

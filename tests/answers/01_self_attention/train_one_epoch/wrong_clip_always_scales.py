"""Mistake: small gradients are scaled up to max_norm.
Message: max_norm
"""

import torch


def train_one_epoch(model, batches, optimizer, loss_fn, max_norm=1.0):
    model.train()
    total, n_samples = 0.0, 0
    for tokens, labels in batches:
        optimizer.zero_grad()
        logits, _ = model(tokens)
        loss = loss_fn(logits, labels)
        loss.backward()
        norm = torch.sqrt(sum((p.grad**2).sum() for p in model.parameters()))
        for p in model.parameters():
            p.grad *= max_norm / norm
        optimizer.step()
        total += loss.item() * len(labels)
        n_samples += len(labels)
    if n_samples == 0:
        raise ValueError("no batches: there is nothing to train on")
    return total / n_samples

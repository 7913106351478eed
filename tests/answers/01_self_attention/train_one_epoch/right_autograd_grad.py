"""torch.autograd.grad, gradients written by hand."""

import torch
from torch import nn


def train_one_epoch(model, batches, optimizer, loss_fn, max_norm=1.0):
    model.train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    total = weight = 0
    for tokens, labels in batches:
        logits, _attention = model(tokens)
        loss = loss_fn(logits, labels)
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        for p, g in zip(parameters, gradients):
            p.grad = g
        nn.utils.clip_grad_norm_(parameters, max_norm)
        optimizer.step()
        total = total + loss.item() * labels.shape[0]
        weight = weight + labels.shape[0]
    if weight < 1:
        raise ValueError(f"expected at least one batch, got {weight}")
    return float(total / weight)

"""torch's newer pair get_total_norm and clip_grads_with_norm_."""

import torch
from torch import nn


def train_one_epoch(model, batches, optimizer, loss_fn, max_norm=1.0):
    model.requires_grad_(True)
    model.train()
    total, count = torch.zeros((), dtype=torch.float64), 0
    for tokens, labels in batches:
        for group in optimizer.param_groups:
            for p in group["params"]:
                p.grad = None
        logits, *_ = model(tokens)
        loss = loss_fn(logits, labels)
        loss.backward()
        params = list(model.parameters())
        norm = nn.utils.get_total_norm([p.grad for p in params if p.grad is not None])
        nn.utils.clip_grads_with_norm_(params, max_norm, norm)
        optimizer.step()
        total += loss.detach().double() * labels.shape[0]
        count += labels.shape[0]
    if count == 0:
        raise ValueError("no batch")
    return (total / count).item()

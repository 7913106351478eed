"""Turns the batches into a list once, checks it, uses numpy's weighted mean."""

import numpy as np
import torch


def train_one_epoch(model, batches, optimizer, loss_fn, max_norm=1.0):
    batches = list(batches)
    if not batches:
        raise ValueError("train_one_epoch needs at least one batch")
    was_training = model.training
    model.train()
    history = []
    for tokens, labels in batches:
        logits, attention = model(tokens)
        loss = loss_fn(logits, labels)
        for p in model.parameters():
            p.grad = None
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(model.parameters()), max_norm=max_norm)
        optimizer.step()
        history.append((loss.item(), labels.size(0)))
    model.train(was_training)
    values, weights = zip(*history)
    return np.average(values, weights=weights)

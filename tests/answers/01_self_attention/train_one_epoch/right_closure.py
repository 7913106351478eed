"""optimizer.step with a closure."""

from torch import nn


def train_one_epoch(model, batches, optimizer, loss_fn, max_norm=1.0):
    model.train()
    record = []
    for tokens, labels in batches:

        def closure(tokens=tokens, labels=labels):
            optimizer.zero_grad()
            loss = loss_fn(model(tokens)[0], labels)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), max_norm)
            return loss

        loss = optimizer.step(closure)
        record.append((float(loss), len(tokens)))
    n = sum(size for _, size in record)
    if not n:
        raise ValueError("nothing to train on")
    return sum(value * size for value, size in record) / n

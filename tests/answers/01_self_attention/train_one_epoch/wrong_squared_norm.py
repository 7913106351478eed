"""Mistake: compares the squared norm with max_norm.
Message: norm
"""


def train_one_epoch(model, batches, optimizer, loss_fn, max_norm=1.0):
    model.train()
    total, n_samples = 0.0, 0
    for tokens, labels in batches:
        optimizer.zero_grad()
        logits, _ = model(tokens)
        loss = loss_fn(logits, labels)
        loss.backward()
        squared = sum((p.grad**2).sum() for p in model.parameters())
        for p in model.parameters():
            p.grad *= min(1.0, float(max_norm / squared))
        optimizer.step()
        total += loss.item() * len(labels)
        n_samples += len(labels)
    if n_samples == 0:
        raise ValueError("no batches: there is nothing to train on")
    return total / n_samples

"""A while loop over an iterator, gradients by optimizer.zero_grad(set_to_none=False)."""

import torch


def train_one_epoch(model, batches, optimizer, loss_fn, max_norm: float = 1.0) -> float:
    stream = iter(batches)
    seen, mean = 0, 0.0
    model.train()
    while (batch := next(stream, None)) is not None:
        tokens, labels = batch
        optimizer.zero_grad(set_to_none=False)
        loss = loss_fn(model(tokens)[0], labels)
        loss.backward()
        params = [p for p in model.parameters() if p.grad is not None]
        torch.nn.utils.clip_grad_norm_(params, max_norm, norm_type=2.0)
        optimizer.step()
        seen += len(tokens)
        mean += (float(loss) - mean) * len(tokens) / seen
    if seen == 0:
        raise ValueError("empty")
    return mean

"""Total norm by hand, gradients cleared through the model, sums kept as tensors."""

import torch


def train_one_epoch(model, batches, optimizer, loss_fn, max_norm=1.0):
    losses, sizes = [], []
    for batch in batches:
        model.train(True)
        tokens, labels = batch
        model.zero_grad(set_to_none=False)
        output = model(tokens)
        loss = loss_fn(output[0], labels)
        loss.backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        norm = torch.sqrt(sum((g**2).sum() for g in gradients))
        if norm > max_norm:
            for g in gradients:
                g.mul_(max_norm / norm)
        optimizer.step()
        losses.append(loss.detach() * tokens.shape[0])
        sizes.append(tokens.shape[0])
    if not losses:
        raise ValueError("batches is empty")
    return float(torch.stack(losses).sum() / sum(sizes))

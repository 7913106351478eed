"""Mistake: takes a small loss for a leak.
Message: expected True
"""

def label_leak(model, tokens, images):
    before = model.training
    model.eval()
    with torch.no_grad():
        logits = model(tokens, images)[0]
        loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()) if tokens.shape[1] > 1 else 9.0
    model.train(before)
    return bool(loss < 0.05)

"""Mistake: token 1 is never replaced.
Message: later
"""

def label_leak(model, tokens, images):
    before = model.training
    model.eval()
    with torch.no_grad():
        logits = model(tokens, images)[0]
        V, T = logits.shape[-1], tokens.shape[1]
        found = False
        for s in range(2, T):
            other = tokens.clone()
            other[:, s] = (other[:, s] + 1) % V
            change = (model(other, images)[0] - logits)[:, :s].abs().max()
            found = found or bool(change > 1e-5 * logits.abs().max())
    model.train(before)
    return found

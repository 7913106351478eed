"""Mistake: a random word may be the old one.
Message: expected True
"""

def label_leak(model, tokens, images):
    before = model.training
    model.eval()
    with torch.no_grad():
        logits = model(tokens, images)[0]
        found = False
        for s in range(1, tokens.shape[1]):
            other = tokens.clone()
            other[:, s] = torch.randint(logits.shape[-1], (len(tokens),))
            change = (model(other, images)[0] - logits)[:, :s].abs().max()
            found = found or bool(change > 1e-5 * logits.abs().max())
    model.train(before)
    return found

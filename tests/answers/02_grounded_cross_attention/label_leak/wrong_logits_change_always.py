"""Mistake: replaces all tokens at once.
Message: expected False
"""

def label_leak(model, tokens, images):
    mode = model.training
    model.eval()
    with torch.no_grad():
        a = model(tokens, images)[0]
        changed = (tokens + 1) % a.shape[-1]
        b = model(changed, images)[0]
    model.train(mode)
    return bool(tokens.shape[1] > 1 and ((a - b).abs() > 1e-5 * a.abs().max()).any())

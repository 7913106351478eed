"""A random other word; early stop."""

def label_leak(model, tokens, images):
    training = model.training
    model.train(False)
    result = False
    with torch.no_grad():
        old = model(tokens, images)[0]
        generator = torch.Generator().manual_seed(0)
        for s in range(1, tokens.size(1)):
            step = torch.randint(1, old.size(-1), (len(tokens),), generator=generator)
            new = tokens.clone()
            new[:, s] = (new[:, s] + step) % old.size(-1)
            delta = model(new, images)[0][:, :s] - old[:, :s]
            if float(delta.abs().max() / old.abs().max()) > 1e-5:
                result = True
                break
    model.train(training)
    return result


unguarded_label_leak = label_leak


def label_leak(model, tokens, images):
    training = model.training
    try:
        return unguarded_label_leak(model, tokens, images)
    finally:
        model.train(training)

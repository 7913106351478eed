"""Every report, every place, every word."""

@torch.no_grad()
def label_leak(net, tok, img):
    mode = net.training
    net.eval()
    base = net(tok, img)[0]
    words = base.shape[2]
    leak = False
    for b in range(tok.shape[0]):
        for s in range(tok.shape[1] - 1, 0, -1):
            for new in range(words):
                if new == tok[b, s].item() or leak:
                    continue
                row = tok[b : b + 1].clone()
                row[0, s] = new
                got = net(row, img[b : b + 1])[0][0, :s]
                if (got - base[b, :s]).abs().max().item() > 1e-5 * base.abs().max().item():
                    leak = True
    net.train(mode)
    return leak


unguarded_label_leak = label_leak


def label_leak(model, tokens, images):
    training = model.training
    try:
        return unguarded_label_leak(model, tokens, images)
    finally:
        model.train(training)

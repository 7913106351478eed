"""Every sub-module's own mode is restored."""

def label_leak(model, tokens, images):
    modes = {m: m.training for m in model.modules()}
    try:
        model.eval()
        with torch.no_grad():
            reference = model(tokens, images)[0]
            limit = reference.abs().amax() * 1e-5
            for later in range(1, tokens.shape[-1]):
                probe = torch.cat([tokens[:, :later], (tokens[:, later : later + 1] + 1) % reference.shape[-1],
                                   tokens[:, later + 1 :]], 1)
                if torch.any((model(probe, images)[0][:, :later] - reference[:, :later]).abs() > limit):
                    return True
            return False
    finally:
        for m, mode in modes.items():
            m.training = mode

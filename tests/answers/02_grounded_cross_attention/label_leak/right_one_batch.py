"""All replacements in one batch."""

def label_leak(model, tokens, images):
    was = model.training
    model.eval()
    try:
        with torch.inference_mode():
            B, T = tokens.shape
            if T == 1:
                return False
            ref, _ = model(tokens, images)
            V = ref.size(-1)
            many = tokens.unsqueeze(0).repeat(T - 1, 1, 1)
            for i in range(T - 1):
                many[i, :, i + 1] = torch.where(many[i, :, i + 1] == 0, V - 1, 0)
            out, _ = model(many.flatten(0, 1), images.repeat(T - 1, *[1] * (images.dim() - 1)))
            diff = (out.unflatten(0, (T - 1, B)) - ref).abs().amax(-1)  # (T-1, B, T)
            past = torch.arange(T)[None, :] < torch.arange(1, T)[:, None]
            return bool((diff * past[:, None, :]).max() > 1e-5 * ref.abs().max())
    finally:
        model.train(was)

"""NumPy; a NumPy float."""

def pointing_game(weights, masks):
    w, m = weights.detach().numpy().reshape(-1, weights.shape[-1]), masks.numpy().reshape(-1, masks.shape[-1]) > 0
    keep = m.any(1)
    if keep.sum() == 0:
        return np.nan
    return np.mean(m[keep, w[keep].argmax(1)])

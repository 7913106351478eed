"""NumPy, a row at a time."""

def grounding_iou(weights, masks, keep=0.9):
    W = weights.detach().double().numpy().reshape(-1, weights.shape[-1])
    M = masks.numpy().reshape(W.shape) > 0
    result = []
    for w, m in zip(W, M):
        if not m.any():
            continue
        order = np.argsort(-w)
        cum = np.cumsum(w[order])
        k = int(np.argmax(cum >= keep * w.sum() - 1e-6)) + 1
        s = np.zeros_like(m)
        s[order[:k]] = True
        s &= w > 0
        result.append((s & m).sum() / (s | m).sum())
    return float(np.mean(result)) if result else float("nan")

def late_fusion(probabilities, weights=None, available=None):
    tensor = isinstance(probabilities[0], torch.Tensor)
    n, m = len(probabilities[0]), len(probabilities)
    rows = []
    for i in range(n):
        top, bottom = 0.0, 0.0
        for j in range(m):
            if available is None or bool(available[i][j]):
                w = 1.0 if weights is None else float(weights[j])
                top = top + w * probabilities[j][i]
                bottom += w
        rows.append(top / bottom if bottom > 0 else float("nan"))
    if tensor:
        kind = probabilities[0].dtype if probabilities[0].is_floating_point() else torch.float32
        return torch.stack([torch.as_tensor(r, dtype=kind) for r in rows])
    kind = probabilities[0].dtype
    return np.array(rows, dtype=kind if kind.kind == "f" else float)

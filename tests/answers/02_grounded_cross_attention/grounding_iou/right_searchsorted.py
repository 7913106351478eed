"""Counts how many patches are needed; ranks."""

def grounding_iou(weights, masks, keep=0.9):
    m = masks.reshape(-1, masks.shape[-1]) > 0
    w = weights.reshape(m.shape).double()
    w, m = w[m.any(1)], m[m.any(1)]
    if w.numel() == 0:
        return float("nan")
    order = torch.argsort(w, dim=1, descending=True)
    total = torch.gather(w, 1, order).cumsum(1)
    count = (total < keep * w.sum(1, keepdim=True) - 1e-6).sum(1, keepdim=True) + 1
    rank = torch.argsort(order, dim=1)
    chosen = (rank < count) & (w > 0)
    inter = (chosen & m).double().sum(1)
    return float((inter / (chosen.double().sum(1) + m.double().sum(1) - inter)).mean())

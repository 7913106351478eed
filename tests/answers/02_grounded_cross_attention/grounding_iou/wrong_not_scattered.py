"""Mistake: the set is left in sorted order.
Message: score
"""

def grounding_iou(weights, masks, keep=0.9):
    inside = masks > 0
    has = inside.any(-1)
    if not has.any():
        return float("nan")
    w, inside = weights[has], inside[has]
    value, order = w.sort(-1, descending=True)
    before = value.cumsum(-1) - value
    need = (before < keep * w.sum(-1, keepdim=True) - 1e-6) & (value > 0)
    chosen = need
    iou = (chosen & inside).sum(-1) / (chosen | inside).sum(-1)
    return iou.float().mean().item()

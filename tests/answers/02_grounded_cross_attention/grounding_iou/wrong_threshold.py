"""Mistake: patches above a share of the peak.
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
    need = value >= (1 - keep) * value.amax(-1, keepdim=True)
    chosen = torch.zeros_like(inside).scatter(-1, order, need)
    iou = (chosen & inside).sum(-1) / (chosen | inside).sum(-1)
    return iou.float().mean().item()

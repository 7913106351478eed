"""One softplus of the logit with the label's sign."""

import torch.nn.functional as F


def multilabel_loss(logits, labels, pos_weight=None):
    sign = 1 - 2 * labels.to(logits.dtype)
    price = F.softplus(sign * logits)
    if pos_weight is not None:
        price = price * pos_weight.to(logits.dtype) ** labels.to(logits.dtype)
    return price.sum() / price.numel()

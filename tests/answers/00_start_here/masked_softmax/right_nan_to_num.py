"""0/0 turned into zero."""

import torch.nn.functional as F


def masked_softmax(scores, mask):
    return F.softmax(scores.masked_fill(mask.logical_not(), float("-inf")), dim=-1).nan_to_num()

"""functools.reduce, a matrix product with broadcasting.
"""

from functools import reduce


def attention_rollout(attentions, pooling, is_event):
    def follow(row, layer):
        return row / 2 + torch.matmul(row, layer.mean(1) / 2)

    found = reduce(follow, reversed(attentions), pooling.mean(1, keepdim=True))
    return found.squeeze(1).masked_fill(is_event.logical_not(), 0.0)

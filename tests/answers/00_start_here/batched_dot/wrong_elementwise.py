"""Mistake: row t with row t only.
Message: shape
"""


def batched_dot(a, b):
    return (a[:, : b.size(1)] * b[:, : a.size(1)]).sum(-1)

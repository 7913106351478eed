"""Mistake: (B, S, T).
Message: shape
"""


def batched_dot(a, b):
    return b @ a.transpose(1, 2)

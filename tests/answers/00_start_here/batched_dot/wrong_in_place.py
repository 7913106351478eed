"""Mistake: transposes the caller's b.
Message: chang
"""


def batched_dot(a, b):
    return a @ b.transpose_(1, 2)

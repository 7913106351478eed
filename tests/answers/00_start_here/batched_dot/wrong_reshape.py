"""Mistake: reshapes b where a transpose was wanted.
Message: transpose
"""


def batched_dot(a, b):
    return a @ b.reshape(b.size(0), b.size(2), b.size(1))

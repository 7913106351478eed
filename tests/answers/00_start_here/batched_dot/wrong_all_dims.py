"""Mistake: b.T turns round all three dimensions.
Message: error
"""


def batched_dot(a, b):
    return a @ b.permute(2, 1, 0)

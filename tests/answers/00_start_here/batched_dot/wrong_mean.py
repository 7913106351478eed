"""Mistake: the mean over D instead of the sum.
Message: sum
"""


def batched_dot(a, b):
    return a @ b.transpose(1, 2) / a.size(-1)

"""Mistake: b as it is.
Message: error
"""


def batched_dot(a, b):
    return a @ b

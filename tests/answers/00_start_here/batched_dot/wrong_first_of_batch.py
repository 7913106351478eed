"""Mistake: the first b for the whole batch.
Message: batch
"""


def batched_dot(a, b):
    return a @ b[0].T

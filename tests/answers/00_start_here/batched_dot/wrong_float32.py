"""Mistake: float64 comes back as float32.
Message: float64
"""


def batched_dot(a, b):
    return (a @ b.transpose(1, 2)).float()

"""Mistake: divides by sqrt(D).
Message: scale
"""

import math


def batched_dot(a, b):
    return a @ b.transpose(1, 2) / math.sqrt(a.size(-1))

"""Mistake: returns an array.
Message: tensor
"""

import numpy as np


def broadcast_add(rows, columns):
    return np.add.outer(rows.numpy(), columns.numpy())

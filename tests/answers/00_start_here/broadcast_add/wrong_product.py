"""Mistake: the outer product.
Message: product
"""


def broadcast_add(rows, columns):
    return rows[:, None] * columns[None, :]

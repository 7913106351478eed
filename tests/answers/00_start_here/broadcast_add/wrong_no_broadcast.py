"""Mistake: adds the two vectors.
Message: shape
"""


def broadcast_add(rows, columns):
    return rows + columns[: len(rows)]

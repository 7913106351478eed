"""Mistake: (S, T).
Message: shape
"""


def broadcast_add(rows, columns):
    return rows[None, :] + columns[:, None]

"""Mistake: float64 comes back as float32.
Message: float64
"""


def broadcast_add(rows, columns):
    return (rows[:, None] + columns[None, :]).float()

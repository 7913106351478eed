"""Mistake: differences.
Message: sum
"""


def broadcast_add(rows, columns):
    return rows[:, None] - columns[None, :]

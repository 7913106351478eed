"""Mistake: adds into the caller's rows.
Message: chang
"""


def broadcast_add(rows, columns):
    rows += 0.5
    return rows[:, None] + columns[None, :]

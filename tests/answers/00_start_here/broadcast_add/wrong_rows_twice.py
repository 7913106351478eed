"""Mistake: rows with themselves.
Message: columns
"""


def broadcast_add(rows, columns):
    return rows[:, None] + rows[None, :1].expand(1, len(columns))

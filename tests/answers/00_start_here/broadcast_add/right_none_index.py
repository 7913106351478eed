"""New axes by None."""


def broadcast_add(rows, columns):
    return rows[:, None] + columns[None, :]

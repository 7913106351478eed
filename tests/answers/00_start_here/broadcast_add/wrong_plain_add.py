"""Mistake: adds as they are: an error unless T = S.
Message: error
"""


def broadcast_add(rows, columns):
    return rows + columns

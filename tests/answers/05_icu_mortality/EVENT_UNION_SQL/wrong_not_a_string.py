"""Mistake: a list of queries
Message: str
"""

EVENT_UNION_SQL = ["SELECT 1"]

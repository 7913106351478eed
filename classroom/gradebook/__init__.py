"""Scores, feedback, exports and reports of a class, in nbgrader's gradebook."""

"""Mistake: imported from the library.
Message: library
"""

from course_utils.layers import causal_mask

"""Judging answers and submissions: student code in a box, checks where it never enters."""

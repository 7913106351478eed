"""Generators of the course's data, with the truth that they were drawn from."""

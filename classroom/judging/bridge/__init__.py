"""Calls between judge and box: two processes that do not trust each other, without pickle."""

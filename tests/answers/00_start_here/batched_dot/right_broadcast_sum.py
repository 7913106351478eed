"""Broadcast, multiply, sum."""


def batched_dot(a, b):
    return (a[:, :, None, :] * b[:, None, :, :]).sum(-1)

"""Einsum."""

import torch


def batched_dot(a, b):
    return torch.einsum("btd,bsd->bts", a, b)

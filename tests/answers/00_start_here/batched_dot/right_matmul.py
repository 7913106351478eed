"""Matrix product with the transpose."""


def batched_dot(a, b):
    return a @ b.transpose(1, 2)

"""NumPy in double precision, cast at the end."""

import numpy as np
import torch


def sinusoidal_positional_encoding(n, d):
    columns = np.arange(d)
    angles = np.arange(n)[:, None] / np.power(10000.0, 2 * (columns // 2) / d)
    return torch.from_numpy(np.where(columns % 2 == 0, np.sin(angles), np.cos(angles))).float()

"""Mistake: takes the code from the course's own layer.
Message: ready-made
"""

import torch

from course_utils.layers import SinusoidalPositionalEncoding


def sinusoidal_positional_encoding(max_len, d_model):
    with torch.no_grad():
        return SinusoidalPositionalEncoding(d_model, max_len)(torch.zeros(1, max_len, d_model))[0]

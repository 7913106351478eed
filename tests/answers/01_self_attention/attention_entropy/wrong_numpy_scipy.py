"""Mistake: SciPy: renormalises, and returns an array.
Message: tensor
"""


def attention_entropy(weights):
    from scipy.stats import entropy

    return entropy(weights.detach().numpy(), axis=-1)

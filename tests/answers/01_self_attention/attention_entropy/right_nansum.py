"""0 log 0 is nan, and nansum leaves it out."""


def attention_entropy(weights):
    return -(weights * weights.log()).nansum(dim=-1)

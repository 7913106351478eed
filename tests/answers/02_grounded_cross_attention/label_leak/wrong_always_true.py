"""Mistake: a constant answer, without a look at the model
Message: never called
"""

def label_leak(model, tokens, images):
    return tokens.shape[1] > 1

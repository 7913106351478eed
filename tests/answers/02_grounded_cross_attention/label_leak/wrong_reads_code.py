"""Mistake: asks the model's attribute instead of testing it.
Message: never called
"""

def label_leak(model, tokens, images):
    return not getattr(model, "causal", True)

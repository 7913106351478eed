"""Mistake: asks the model's attribute instead of testing it.
Message: expected True
"""

def label_leak(model, tokens, images):
    return not getattr(model, "causal", True)

"""Mistake: Calls the ready-made embedding layer.
Message: ready-made
"""


def input_embeddings(model, input_ids):
    training = model.training
    model.eval()
    out = model.embeddings(input_ids)
    model.train(training)
    return out

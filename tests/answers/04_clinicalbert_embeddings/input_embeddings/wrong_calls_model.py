"""Mistake: Takes hidden_states[0] of the model.
Message: ready-made
"""


def input_embeddings(model, input_ids):
    training = model.training
    model.eval()
    out = model(input_ids, output_hidden_states=True).hidden_states[0]
    model.train(training)
    return out

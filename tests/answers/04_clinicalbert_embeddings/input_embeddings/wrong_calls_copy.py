"""Mistake: Calls the embedding layer of a copy.
Message: ready-made
"""


def input_embeddings(model, input_ids):
    import copy
    return copy.deepcopy(model.embeddings).eval().forward(input_ids)

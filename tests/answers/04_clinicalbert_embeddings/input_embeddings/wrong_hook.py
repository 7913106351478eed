"""Mistake: Runs the model and reads the layer's output by a hook.
Message: ready-made
"""


def input_embeddings(model, input_ids):
    kept = []
    handle = model.embeddings.LayerNorm.register_forward_hook(lambda m, a, out: kept.append(out))
    model(input_ids)
    handle.remove()
    return kept[0]

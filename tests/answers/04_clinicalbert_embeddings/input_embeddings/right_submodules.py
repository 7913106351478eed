"""Calls the three embeddings as modules."""


def input_embeddings(model, input_ids):
    e = model.embeddings
    positions = torch.arange(input_ids.size(1), device=input_ids.device).unsqueeze(0)
    segments = torch.zeros_like(input_ids)
    total = e.word_embeddings(input_ids) + e.position_embeddings(positions) + e.token_type_embeddings(segments)
    return e.LayerNorm(total)

"""Mistake: a single pass for all words.
Message: expected
"""

def greedy_decode(model, images, bos_id, eos_id, max_len):
    mode = model.training
    model.eval()
    with torch.no_grad():
        tokens = torch.full((len(images), max_len), bos_id)
        out = model(tokens[:, : max_len - 1], images)[0].argmax(-1) if max_len > 1 else tokens[:, :0]
    model.train(mode)
    return torch.cat([tokens[:, :1], out], 1)

"""Mistake: gives the model the padding behind the prefix.
Message: nothing behind
"""

def greedy_decode(model, images, bos_id, eos_id, max_len):
    mode = model.training
    model.eval()
    with torch.no_grad():
        tokens = torch.zeros(len(images), max_len, dtype=torch.long)
        tokens[:, 0] = bos_id
        done = torch.zeros(len(images), dtype=torch.bool)
        for t in range(1, max_len):
            logits = model(tokens, images)[0]
            tokens[:, t] = logits[:, t - 1].argmax(-1).masked_fill(done, 0)
            done |= tokens[:, t] == eos_id
    model.train(mode)
    return tokens

"""Only rows that have not ended are run."""

def greedy_decode(model, images, bos_id, eos_id, max_len):
    mode = model.training
    model.train(False)
    tokens = torch.zeros(len(images), max_len, dtype=torch.long, device=images.device)
    tokens[:, 0] = bos_id
    active = torch.arange(len(images), device=images.device)
    for t in range(1, max_len):
        if active.numel() == 0:
            break
        with torch.no_grad():
            logits = model(tokens[active, :t], images[active])[0]
        word = torch.softmax(logits[:, t - 1], -1).topk(1).indices[:, 0]
        tokens[active, t] = word
        active = active[word != eos_id]
    model.train(mode)
    return tokens


unguarded_greedy_decode = greedy_decode


def greedy_decode(model, images, bos_id, eos_id, max_len):
    training = model.training
    try:
        return unguarded_greedy_decode(model, images, bos_id, eos_id, max_len)
    finally:
        model.train(training)

"""A growing tensor and a flag per row."""

def greedy_decode(model, images, bos_id, eos_id, max_len):
    before = model.training
    model.eval()
    with torch.no_grad():
        B = images.shape[0]
        tokens = torch.full((B, 1), bos_id, dtype=torch.long, device=images.device)
        done = torch.zeros(B, dtype=torch.bool, device=images.device)
        while tokens.shape[1] < max_len:
            logits, _ = model(tokens, images)
            nxt = logits[:, -1].argmax(-1)
            nxt[done] = 0
            tokens = torch.cat([tokens, nxt[:, None]], 1)
            done |= nxt == eos_id
            if done.all():
                break
    model.train(before)
    return tokens


unguarded_greedy_decode = greedy_decode


def greedy_decode(model, images, bos_id, eos_id, max_len):
    training = model.training
    try:
        return unguarded_greedy_decode(model, images, bos_id, eos_id, max_len)
    finally:
        model.train(training)

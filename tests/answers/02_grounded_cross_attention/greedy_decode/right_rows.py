"""Row by row; padding columns at the end."""

@torch.no_grad()
def greedy_decode(model, images, bos_id, eos_id, max_len):
    mode = model.training
    model.eval()
    out = torch.zeros(len(images), max_len, dtype=torch.int64, device=images.device)
    for i in range(len(images)):
        row = [bos_id]
        while len(row) < max_len:
            logits = model(torch.tensor([row], device=images.device), images[i : i + 1])[0]
            row.append(int(logits[0, -1].argmax()))
            if row[-1] == eos_id:
                break
        out[i, : len(row)] = torch.tensor(row)
    model.train(mode)
    return out


unguarded_greedy_decode = greedy_decode


def greedy_decode(model, images, bos_id, eos_id, max_len):
    training = model.training
    try:
        return unguarded_greedy_decode(model, images, bos_id, eos_id, max_len)
    finally:
        model.train(training)

"""Runs to the end and clears what follows eos afterwards."""

def greedy_decode(model, images, bos_id, eos_id, max_len):
    mode = model.training
    model.eval()
    with torch.no_grad():
        t = torch.full((len(images), 1), bos_id, device=images.device)
        script = [t]
        for _ in range(max_len - 1):
            prefix = torch.cat(script, 1)
            script.append(model(prefix, images)[0][:, -1:].argmax(-1))
        t = torch.cat(script, 1)
        is_eos = (t == eos_id) & (torch.arange(t.shape[1], device=t.device) > 0)
        after = (is_eos.cumsum(1) - is_eos.long()) > 0
    model.train(mode)
    return t.masked_fill(after, 0)


unguarded_greedy_decode = greedy_decode


def greedy_decode(model, images, bos_id, eos_id, max_len):
    training = model.training
    try:
        return unguarded_greedy_decode(model, images, bos_id, eos_id, max_len)
    finally:
        model.train(training)

"""A row at a time."""


def mean_pool(last_hidden_state, attention_mask):
    rows = []
    for states, mask in zip(last_hidden_state, attention_mask):
        kept = states[mask.bool()]
        rows.append(kept.mean(0) if len(kept) else states.sum(0) * 0)
    return torch.stack(rows)

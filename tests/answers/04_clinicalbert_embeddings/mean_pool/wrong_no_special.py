"""Mistake: Leaves the first and the last token out.
Message: special
"""


def mean_pool(last_hidden_state, attention_mask):
    out = []
    for states, mask in zip(last_hidden_state, attention_mask.bool()):
        kept = states[mask][1:-1]
        out.append(kept.sum(0) / max(1, len(kept)))
    return torch.stack(out)

"""Mistake: Zeroes the padding in place.
Message: changed
"""


def mean_pool(last_hidden_state, attention_mask):
    with torch.no_grad():
        last_hidden_state[attention_mask == 0] = 0
    return last_hidden_state.sum(1) / attention_mask.sum(1, keepdim=True).clamp(min=1)

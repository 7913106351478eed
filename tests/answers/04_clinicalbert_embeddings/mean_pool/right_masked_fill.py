"""Zeroes the padding, then divides."""


def mean_pool(last_hidden_state, attention_mask):
    absent = attention_mask == 0
    total = last_hidden_state.masked_fill(absent[..., None], 0).sum(dim=1)
    count = (~absent).sum(dim=1, keepdim=True)
    return torch.where(count > 0, total / count.clamp(min=1), torch.zeros_like(total))

"""Weights that sum to one, then a product."""


def mean_pool(last_hidden_state, attention_mask):
    weights = attention_mask.to(last_hidden_state.dtype)
    weights = weights / weights.sum(-1, keepdim=True).clamp(min=1)
    return torch.bmm(weights.unsqueeze(1), last_hidden_state).squeeze(1)

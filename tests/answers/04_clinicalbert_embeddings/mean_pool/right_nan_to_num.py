"""Divides, then turns the empty row's nan into zero; by multiplication with a count."""


def mean_pool(last_hidden_state: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    mask = attention_mask.bool()
    n = mask.sum(1).to(last_hidden_state)
    inverse = torch.where(n > 0, 1 / torch.where(n > 0, n, 1), 0)
    return (last_hidden_state * mask[:, :, None]).sum(1) * inverse[:, None].to(last_hidden_state.dtype)

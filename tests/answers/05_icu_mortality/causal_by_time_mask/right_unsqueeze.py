"""Queries and keys by unsqueeze; torch.ge and logical_and.
"""

def causal_by_time_mask(minutes, is_event):
    query, key = minutes.unsqueeze(-1), minutes.unsqueeze(-2)
    both = torch.logical_and(is_event.unsqueeze(-1), is_event.unsqueeze(-2))
    return torch.where(both, torch.ge(query, key), torch.zeros_like(both)).unsqueeze(1)

"""Mistake: the caller's list is sorted in place
Message: `stays` was changed
"""

def collate_stays(stays: list[dict]) -> dict[str, torch.Tensor]:
    """Pad stays to one batch.  events (T_i, D), static (S,) -> events (B, T, D), is_event (B, T), ..."""
    ### BEGIN SOLUTION
    stays.sort(key=lambda stay: stay["stay_id"])
    pad = nn.utils.rnn.pad_sequence
    lengths = torch.tensor([len(stay["events"]) for stay in stays])
    events = pad([stay["events"] for stay in stays], batch_first=True)
    return {
        "stay_id": torch.tensor([stay["stay_id"] for stay in stays]),
        "events": events,
        "minutes_since_admission": pad(
            [stay["minutes_since_admission"] for stay in stays], batch_first=True
        ),
        "is_event": torch.arange(events.shape[1]) < lengths[:, None],
        "lengths": lengths,
        "static": torch.stack([stay["static"] for stay in stays]),
        "outcome": torch.tensor([float(stay["outcome"]) for stay in stays], dtype=torch.float32),
    }
    ### END SOLUTION
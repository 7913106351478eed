"""Filled row by row."""

def collate_stays(stays):
    B, T = len(stays), max(s["events"].shape[0] for s in stays)
    first = stays[0]
    out = dict(
        stay_id=torch.zeros(B, dtype=torch.long),
        events=first["events"].new_zeros(B, T, first["events"].shape[1]),
        minutes_since_admission=first["minutes_since_admission"].new_zeros(B, T),
        is_event=torch.zeros(B, T, dtype=torch.bool),
        lengths=torch.zeros(B, dtype=torch.int64),
        static=first["static"].new_zeros(B, len(first["static"])),
        outcome=torch.zeros(B),
        note="an extra key does no harm",
    )
    for b, s in enumerate(stays):
        n = s["events"].shape[0]
        out["stay_id"][b], out["lengths"][b], out["outcome"][b] = s["stay_id"], n, s["outcome"]
        out["events"][b, :n], out["minutes_since_admission"][b, :n] = s["events"], s["minutes_since_admission"]
        out["is_event"][b, :n] = True
        out["static"][b] = s["static"]
    return out

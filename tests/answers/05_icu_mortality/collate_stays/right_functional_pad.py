"""F.pad on each stay."""

def collate_stays(stays):
    batch = {k: [s[k] for s in stays] for k in stays[0]}
    lengths = torch.as_tensor([e.size(0) for e in batch["events"]], dtype=torch.int64)
    T = lengths.max().item()
    ones = [torch.ones(n, dtype=torch.bool) for n in lengths]
    return {
        "stay_id": torch.LongTensor(batch["stay_id"]),
        "events": torch.stack([F.pad(e, (0, 0, 0, T - len(e))) for e in batch["events"]]),
        "minutes_since_admission": torch.stack([F.pad(m, (0, T - len(m))) for m in batch["minutes_since_admission"]]),
        "is_event": torch.stack([F.pad(o, (0, T - len(o))) for o in ones]),
        "lengths": lengths,
        "static": torch.stack(batch["static"]),
        "outcome": torch.as_tensor(batch["outcome"]).float(),
    }

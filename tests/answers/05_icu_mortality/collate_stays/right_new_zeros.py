"""new_zeros and index assignment; a dict comprehension; a mask from ones.
"""

def collate_stays(stays):
    lengths = [s["minutes_since_admission"].numel() for s in stays]
    longest = max(lengths)

    def stack(key):
        rows = [s[key] for s in stays]
        return torch.stack([torch.cat([r, r.new_zeros(longest - r.shape[0], *r.shape[1:])]) for r in rows])

    ones = [{"e": torch.ones(n, dtype=torch.bool)} for n in lengths]
    mask = torch.stack([torch.cat([o["e"], torch.zeros(longest - len(o["e"]), dtype=torch.bool)]) for o in ones])
    return dict(
        outcome=torch.as_tensor(np.array([s["outcome"] for s in stays], dtype="float32")),
        static=torch.vstack([s["static"] for s in stays]),
        lengths=torch.LongTensor(lengths),
        stay_id=torch.LongTensor([s["stay_id"] for s in stays]),
        is_event=mask,
        events=stack("events"),
        minutes_since_admission=stack("minutes_since_admission"),
    )

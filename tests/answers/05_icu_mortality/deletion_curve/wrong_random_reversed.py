"""Mistake: the random curve is the ranking backwards
Message: random
"""

def deletion_curve(
    model: nn.Module, stay_batch: dict[str, torch.Tensor], ranking: Sequence[int], steps: int
) -> pd.DataFrame:
    """Risk as the top-ranked events are removed.  Returns n_removed, risk, risk_random."""
    ranking = torch.tensor([int(i) for i in ranking], dtype=torch.int64)
    n = len(ranking)
    counts = [k * n // steps for k in range(steps + 1)]

    def risks(order: torch.Tensor) -> np.ndarray:
        masks = stay_batch["is_event"].repeat(steps + 1, 1)  # (steps + 1, T)
        for row, count in enumerate(counts):
            masks[row, order[:count]] = False
        events = stay_batch["events"].expand(steps + 1, -1, -1)
        static = stay_batch["static"].expand(steps + 1, -1)
        return torch.sigmoid(model(events, static, masks)).cpu().double().numpy()

    generator = torch.Generator().manual_seed(0)
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            risk = risks(ranking)
            drawn = [risks(ranking.flip(0))]
    finally:
        model.train(was_training)
    return pd.DataFrame({"n_removed": counts, "risk": risk, "risk_random": np.mean(drawn, axis=0)})

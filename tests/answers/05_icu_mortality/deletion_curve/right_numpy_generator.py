"""NumPy generator, one call per row, a column more.
"""

def deletion_curve(model, stay_batch, ranking, steps):
    order = [int(i) for i in ranking]
    n = len(order)
    rng = np.random.default_rng(2024)
    modes = [(m, m.training) for m in model.modules()]
    model.eval()

    @torch.inference_mode()
    def risk(removed):
        mask = stay_batch["is_event"].detach().clone()
        mask[:, removed] = False
        return float(model(stay_batch["events"], stay_batch["static"], mask).sigmoid())

    chance = [rng.permutation(order).tolist() for _ in range(3)]
    rows = []
    try:
        for k in range(steps + 1):
            c = (k * n) // steps
            rows.append({"step": k, "n_removed": c, "risk": risk(order[:c]), "risk_random": sum(risk(o[:c]) for o in chance) / 3})
    finally:
        for m, mode in modes:
            m.training = mode
    return pd.DataFrame(rows)

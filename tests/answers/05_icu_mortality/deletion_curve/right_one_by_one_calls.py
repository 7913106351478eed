"""One call of the model for each row."""

def deletion_curve(model, stay_batch, ranking, steps):
    order = [int(i) for i in ranking]
    shuffled = [np.random.default_rng(s).permutation(order).tolist() for s in range(3)]
    mode = model.training
    model.eval()

    @torch.inference_mode()
    def risk(gone):
        mask = stay_batch["is_event"].clone()
        for i in gone:
            mask[0, i] = False
        return float(torch.sigmoid(model(stay_batch["events"], stay_batch["static"], mask)))

    rows = []
    try:
        for k in range(steps + 1):
            c = k * len(order) // steps
            rows.append({"n_removed": c, "risk": risk(order[:c]), "risk_random": sum(risk(s[:c]) for s in shuffled) / 3})
    finally:
        model.train(mode)
    return pd.DataFrame(rows)

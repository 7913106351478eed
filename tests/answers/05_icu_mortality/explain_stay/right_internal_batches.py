"""Small internal batches, a wrapper function, rows one by one.
"""

def explain_stay(model, stay_batch, n_steps):
    x, s, m = stay_batch["events"], stay_batch["static"], stay_batch["is_event"]
    modes = {name: part.training for name, part in model.named_modules()}
    model.eval()

    def logit_of(events, static, mask):
        return model(events, static, mask)

    try:
        a, b = IntegratedGradients(logit_of).attribute(
            (x.clone(), s.clone()),
            baselines=(0, 0),
            additional_forward_args=m,
            n_steps=n_steps,
            internal_batch_size=1,
        )
        with torch.inference_mode():
            delta = (logit_of(x, s, m) - logit_of(x * 0, s * 0, m)).item()
    finally:
        for name, part in model.named_modules():
            part.training = modes[name]
    rows = []
    for t in range(x.shape[1]):
        if bool(m[0, t]):
            rows.append(("event", t, float(a[0, t].sum())))
    rows += [("static", j, float(v)) for j, v in enumerate(b[0])]
    table = pd.DataFrame(rows, columns=["kind", "position", "attribution"])
    total = float(a.double().sum() + b.double().sum())
    return table.assign(completeness_gap=abs(total - delta), total=total)

"""Captum's own convergence delta; rows from dicts."""

def explain_stay(model, stay_batch, n_steps):
    training_before = model.training
    model.train(False)
    e, s, k = stay_batch["events"].detach(), stay_batch["static"].detach(), stay_batch["is_event"]
    ig = IntegratedGradients(lambda a, b, c: model(a, b, c))
    try:
        (ae, as_), delta = ig.attribute(
            (e.clone(), s.clone()), additional_forward_args=(k,), n_steps=n_steps, return_convergence_delta=True
        )
    finally:
        model.train(training_before)
    places = [t for t, real in enumerate(k[0].tolist()) if real]
    rows = [dict(kind="event", position=t, attribution=ae[0, t].sum().item()) for t in places]
    rows += [dict(kind="static", position=j, attribution=v) for j, v in enumerate(as_[0].tolist())]
    return pd.DataFrame(rows).assign(completeness_gap=abs(delta.item()))

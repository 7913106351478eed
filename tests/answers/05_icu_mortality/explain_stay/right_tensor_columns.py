"""A copy of the model; small internal batches; an index with repeats and an extra column."""

def explain_stay(model, stay_batch, n_steps):
    import copy

    frozen = copy.deepcopy(model).eval()
    events, static, mask = (stay_batch[k].clone() for k in ("events", "static", "is_event"))
    attributions = IntegratedGradients(frozen, multiply_by_inputs=True).attribute(
        inputs=(events, static), baselines=(0, 0), additional_forward_args=mask, n_steps=n_steps, internal_batch_size=4
    )
    with torch.inference_mode():
        a = frozen(stay_batch["events"], stay_batch["static"], mask)
        b = frozen(events.detach() * 0, static.detach() * 0, mask)
    total = attributions[0].sum().double() + attributions[1].sum().double()
    table = pd.concat([
        pd.DataFrame({"kind": "event", "position": np.arange(mask.shape[1]), "name": None,
                      "attribution": attributions[0].sum(2)[0].detach().numpy()})[mask[0].numpy()],
        pd.DataFrame({"kind": "static", "position": np.arange(static.shape[1]), "name": None,
                      "attribution": attributions[1][0].detach().numpy()}),
    ])
    table["completeness_gap"] = float(abs(total - (a - b).double()))
    return table
